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
        name, state = path.name, path.stat()
        seen: list[str | int] = [digest, state.st_size, state.st_mtime_ns]
        if self._now.get(name) == seen:
            return True
        if files.sha256(path) != digest:
            return False
        self._now[name] = seen
        return True


def _read(book: Path) -> dict[str, list[str | int]]:
    try:
        found: dict[str, list[str | int]] = json.loads(book.read_text())
    except (OSError, ValueError):  # none yet, or cut off with its disk
        return {}
    return found
