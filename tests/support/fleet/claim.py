"""A fleet's number: the lowest that no other test run holds. It names all that two fleets on one machine would else share.

Whoever gets a number first clears away what the one before left. With a run that is killed its processes, its mounts and its
network end, but not its folder and its pods' control groups.
"""

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fedspoke.api.errors import Failed
from support.fleet import cgroups
from support.fleet.wait import until

_FLEETS = 100
_SECONDS = 60


@contextmanager
def number(first: int = 0) -> Iterator[tuple[int, Path]]:
    """A number, not below `first`, and an empty folder that goes when the block ends.

    Raises:
        Failed: all numbers are taken.
    """
    for candidate in range(first, _FLEETS):
        folder = Path(tempfile.gettempdir()) / f"fedspoke-fleet-{candidate}"
        with folder.with_suffix(".lock").open("w") as lock:  # the kernel lets go of it when the holder dies
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            _clear(candidate, folder)
            folder.mkdir()
            try:
                yield candidate, folder
            finally:
                _clear(candidate, folder)
            return
    raise Failed(f"{_FLEETS} fleets run on this machine; end one of them")


def _clear(candidate: int, folder: Path) -> None:
    cable = Path(f"/sys/class/net/fleet{candidate}")
    until(f"network {cable.name} is gone", lambda: not cable.exists(), _SECONDS)
    for group in cgroups.named(f"{folder.name}-"):
        cgroups.remove(group)
    if folder.exists():
        shutil.rmtree(folder)
