"""What is in an image, as CycloneDX: the Python packages with their licences, and the base's own, where it is of Debian's kind.

`sbom.py IMAGE ENVIRONMENT` writes ENVIRONMENT/sbom.cdx.json.
"""

import json
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote


def python(environment: Path) -> Any:
    """The bill of an environment, as CycloneDX's own tool for Python writes it: the same environment has the same bill."""
    tool = Path(sys.executable).with_name("cyclonedx-py")
    asked = ["environment", "--pyproject", "pyproject.toml", "--output-reproducible", "--output-file", "-", str(environment)]
    return json.loads(_said(str(tool), *asked))


def debian() -> list[dict[str, str]]:
    """What dpkg has installed; nothing where the base has no dpkg."""
    if not shutil.which("dpkg-query"):
        return []
    system = platform.freedesktop_os_release()
    vendor, release = system["ID"], system["VERSION_CODENAME"]
    listed = _said("dpkg-query", "--show", "--showformat", "${Package} ${Version} ${Architecture}\n")
    return [
        {
            "type": "library",
            "bom-ref": f"deb:{name}:{architecture}",
            "name": name,
            "version": version,
            "purl": f"pkg:deb/{vendor}/{quote(name)}@{quote(version)}?arch={architecture}&distro={release}",
        }
        for name, version, architecture in map(str.split, listed.splitlines())
    ]


def _said(*command: str) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    image, environment = sys.argv[1], Path(sys.argv[2])
    bill = python(environment)
    bill["metadata"]["component"]["name"] = f"fedspoke-{image}"
    bill["components"] += debian()
    (environment / "sbom.cdx.json").write_text(json.dumps(bill, indent=1) + "\n")
