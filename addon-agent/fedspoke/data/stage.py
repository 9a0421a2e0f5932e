"""A stage's file: a JSON list that is written and read one entry at a time, and is there whole or not at all."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import ijson

from fedspoke.api.errors import Failed


@contextmanager
def writing(path: Path, partial: Path) -> Iterator[Callable[[Any], None]]:
    """A function that adds an entry to the list; the file takes its name when all of them are on the disk.

    Args:
        path: Takes the place of what has this name.
        partial: Another name on the same disk, for as long as it takes.

    Raises:
        Failed: the disk is full, say; what `path` held is still there.
    """
    with cannot_write(path):
        partial.unlink(missing_ok=True)
        file = created(partial)
    try:
        separator = b"[\n"

        def add(entry: Any) -> None:
            nonlocal separator
            line = json.dumps(entry, ensure_ascii=False).encode()
            with cannot_write(path):
                file.write(separator + line)
            separator = b",\n"

        yield add
        with cannot_write(path):
            file.write(b"\n]\n" if separator == b",\n" else b"[]\n")
            file.flush()
            os.fsync(file.fileno())
            partial.replace(path)
    finally:
        with suppress(OSError):  # what could not be written is told already, and what could is on the disk
            file.close()


def created(path: Path) -> BinaryIO:
    """A new file, for its owner alone.

    Raises:
        OSError: it is there already, or cannot be made.
    """
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")


def reading(path: Path) -> Iterator[Any]:
    """The entries of the list.

    Raises:
        OSError: the file cannot be read.
        ijson.JSONError: it is no JSON.
    """
    with path.open("rb") as file:
        yield from ijson.items(file, "item")


@contextmanager
def cannot_write(path: Path) -> Iterator[None]:
    """One sentence for whatever keeps a file from being written."""
    try:
        yield
    except OSError as error:
        raise Failed(f"{path.name} cannot be written into {path.parent}: {error.strerror}") from None
