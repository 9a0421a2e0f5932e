"""What uv.lock pins for one extra of fedspoke: the names and versions that its image holds."""

import tomllib
from pathlib import Path
from typing import Any

_LOCK = Path(__file__).parents[2] / "uv.lock"


def closure(extra: str) -> dict[str, set[str]]:
    """Name → versions of all packages that an extra needs; two where it depends on the Python which of them is installed."""
    packages: dict[str, list[dict[str, Any]]] = {}
    for package in tomllib.loads(_LOCK.read_text())["package"]:
        packages.setdefault(package["name"], []).append(package)
    found: dict[str, set[str]] = {}
    wanted = [("fedspoke", (extra,))]
    seen = set(wanted)
    while wanted:
        name, extras = wanted.pop()
        for package in packages[name]:
            found.setdefault(name, set()).add(package["version"])
            optional = package.get("optional-dependencies", {})
            needed = [*package.get("dependencies", []), *(it for each in extras for it in optional.get(each, []))]
            for it in needed:
                follows = (it["name"], tuple(it.get("extra", ())))
                if follows not in seen:
                    seen.add(follows)
                    wanted.append(follows)
    del found["fedspoke"]
    return found
