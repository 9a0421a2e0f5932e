"""A model in the hub client's cache is what the hub said it was: large files are named there by their SHA-256, and checked by it.

Once a volume, as 14 GB take their time: what was checked is written down beside it, with size and time of each file.
"""

import json
import re
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from fedspoke.api import files
from fedspoke.api.errors import Failed

CHECKED = "checked.json"
_SHA256 = re.compile(r"[0-9a-f]{64}")


def check(snapshot: Path) -> None:
    """All files of one snapshot; what is damaged is removed, so that another attempt fetches it anew.

    Raises:
        Failed: a file is not what it was to be.
    """
    with Book(snapshot.parents[1] / CHECKED) as book:
        for blob in (it.resolve() for it in sorted(snapshot.iterdir())):
            if _SHA256.fullmatch(blob.name) and not book.has(blob, blob.name):
                blob.unlink()
                raise Failed("a file of the model is not what the model hub says: it was damaged on its way or since; try again")


class Book:
    """Which files had which SHA-256, as long as their size and time stay: in a file, written when the block ends."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._before = _read(file)
        self._now = dict(self._before)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._now != self._before:
            with suppress(OSError):  # of a volume that is only read: then it is looked at again
                files.replace(self._file, json.dumps(self._now).encode())

    def has(self, path: Path, digest: str) -> bool:
        """Whether the file has this digest."""
        if self._now.get(path.name) == _seen(path, digest):
            return True
        if files.sha256(path) != digest:
            return False
        self.note(path, digest)
        return True

    def note(self, path: Path, digest: str) -> None:
        """Somebody has looked whether it has."""
        self._now[path.name] = _seen(path, digest)

    def holds(self) -> bool:
        """Whether it knows of files, and all of them, which lie beside it, are as they were."""
        folder = self._file.parent
        try:
            return bool(self._now) and all(self.has(folder / name, str(digest)) for name, (digest, *_) in [*self._now.items()])
        except OSError:  # one is not there
            return False


def _seen(path: Path, digest: str) -> list[str | int]:
    state = path.stat()
    return [digest, state.st_size, state.st_mtime_ns]


def _read(book: Path) -> dict[str, list[str | int]]:
    try:
        found: dict[str, list[str | int]] = json.loads(book.read_text())
    except (OSError, ValueError):  # none yet, or cut off with its disk
        return {}
    return found
