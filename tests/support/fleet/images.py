"""Container images without a registry or a builder: a folder becomes the archive that containerd imports.

The fleet's own image holds busybox and nothing else. What a Python program needs more is this machine's: its containers see the
environment that runs the tests, so that a pod runs the code as it is, from an image of two megabytes.
"""

import hashlib
import io
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from support.fleet.node import PAUSE

TESTS = os.environ.get("FEDSPOKE_TEST_IMAGE", "localhost/fedspoke-tests:1")
"""An image with a shell, Python and fedspoke: ours, whose containers see this machine's, or one that given clusters have."""

_REPOSITORY = Path(__file__).parents[3]
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def python() -> tuple[Path, ...]:
    """What a container has to see of this machine to run this Python with all that is installed for it, and C's libraries."""
    wanted = [
        _REPOSITORY,
        Path(sys.prefix),
        Path(sys.base_prefix),
        Path("/usr/lib"),
        Path("/usr/lib64"),
        Path("/etc/ld.so.cache"),
    ]
    found = [path for path in wanted if path.exists()]
    return tuple(path for path in found if not any(other in path.parents for other in found))


def own(folder: Path) -> list[Path]:
    """The archives of the images that every cluster has: the one of tests, and the one that holds a pod's namespaces."""
    root = folder / "root"
    for path in ("bin", "etc", "tmp", "usr"):
        (root / path).mkdir(parents=True)
    (root / "lib").symlink_to("usr/lib")
    (root / "lib64").symlink_to("usr/lib64")
    (root / "tmp").chmod(0o1777)
    (root / "etc/passwd").write_text("root:x:0:0::/:/bin/sh\n")
    busybox = shutil.copy(shutil.which("busybox") or "", root / "bin/busybox")
    for applet in subprocess.run([busybox, "--list"], check=True, capture_output=True, text=True).stdout.split():
        if applet != "busybox":
            (root / "bin" / applet).symlink_to("busybox")
    path = f"{Path(sys.executable).parent}:/bin"
    return [
        archive(root, TESTS, folder / "tests.tar", path=path),
        archive(root, PAUSE, folder / "pause.tar", entrypoint=("/bin/sleep", "infinity")),
    ]


def archive(root: Path, tag: str, file: Path, *, entrypoint: tuple[str, ...] = (), path: str = "/usr/bin:/bin") -> Path:
    """An image of one layer, `root`, as `docker save` would write it; the same content has the same digests."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        tar.add(root, arcname=".", filter=_anonymous)
    layer = content.getvalue()
    digest = hashlib.sha256(layer).hexdigest()
    config = {
        "architecture": _ARCHITECTURES[platform.machine()],
        "os": "linux",
        "config": {"Entrypoint": list(entrypoint), "Env": [f"PATH={path}"], "User": "65532", "WorkingDir": "/"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
    }
    described = json.dumps(config).encode()
    name = f"{hashlib.sha256(described).hexdigest()}.json"
    manifest = [{"Config": name, "RepoTags": [tag], "Layers": [f"{digest}/layer.tar"]}]
    with tarfile.open(file, "w") as tar:
        for member, data in ((name, described), (f"{digest}/layer.tar", layer), ("manifest.json", json.dumps(manifest).encode())):
            information = tarfile.TarInfo(member)
            information.size = len(data)
            tar.addfile(information, io.BytesIO(data))
    return file


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    return member
