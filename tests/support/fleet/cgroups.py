"""The control group of a cluster's pods, in each hierarchy that this machine has: one of version 2, or several of version 1.

The kubelet wants it to be there, and nothing but this removes it: no namespace holds it.
"""

import os
from functools import partial
from pathlib import Path

from support.fleet.wait import until

_SECONDS = 30
_ROOT = Path("/sys/fs/cgroup")
_INHERITED = ("cpuset.cpus", "cpuset.mems")  # version 1 leaves them empty, and no process enters such a group
_WEIGHTS = {"cpu.shares": 8 * 1024, "cpu.weight": 8 * 100}
"""In either version, eight processes' time where it is short: a group has a single one's else, with all of its pods."""


def make(name: str) -> None:
    """A group for a cluster's pods."""
    for hierarchy in _hierarchies():
        group = hierarchy / name
        group.mkdir(exist_ok=True)
        for file in _INHERITED if hierarchy != _ROOT else ():
            if (hierarchy / file).exists():
                (group / file).write_text((hierarchy / file).read_text())
        for file, weight in _WEIGHTS.items():
            if (group / file).exists():
                (group / file).write_text(str(weight))


def remove(name: str) -> None:
    """Remove a group with those of all pods; their processes have been killed, and the kernel may still be at it."""
    for hierarchy in _hierarchies():
        if (hierarchy / name).exists():
            until(f"control group {hierarchy / name} is empty", partial(_removed, hierarchy / name), _SECONDS)


def named(prefix: str) -> set[str]:
    """The groups whose names begin so."""
    return {group.name for hierarchy in _hierarchies() for group in hierarchy.glob(f"{prefix}*")}


def _removed(group: Path) -> bool:
    try:
        for folder, _, _ in os.walk(group, topdown=False):
            Path(folder).rmdir()
    except OSError:  # busy
        return False
    return True


def _hierarchies() -> list[Path]:
    if (_ROOT / "cgroup.controllers").exists():
        return [_ROOT]
    return [folder for folder in _ROOT.iterdir() if folder.is_dir() and (folder / "cgroup.procs").exists()]
