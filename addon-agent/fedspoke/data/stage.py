"""A stage's file: a JSON list that is written and read one entry at a time, and is there whole or not at all."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import ijson

from fedspoke.api import files
from fedspoke.api.errors import Failed
from fedspoke.data.sealed import PLAIN, Store


@contextmanager
def writing(path: Path, partial: Path, store: Store = PLAIN) -> Iterator[Callable[[Any], None]]:
    """A function that adds an entry to the list; the file takes its name when all of them are on the disk.

    Args:
        path: Takes the place of what has this name.
        partial: Another name on the same disk, for as long as it takes.
        store: Whose file it is.

    Raises:
        Failed: the disk is full, say; what `path` held is still there.
    """
    with cannot_write(path):
        partial.unlink(missing_ok=True)
        file = store.create(partial, path)
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
            file.close()
            files.sync(partial)
            partial.replace(path)
    finally:
        with suppress(OSError):  # what could not be written is told already, and what could is on the disk
            file.close()


def reading(path: Path, store: Store = PLAIN) -> Iterator[Any]:
    """The entries of the list.

    Raises:
        OSError: the file cannot be read.
        DamagedError: it is not what was written, which may show at its end only.
        ijson.JSONError: it is no JSON.
    """
    with store.open(path) as file:
        yield from ijson.items(file, "item")


@contextmanager
def cannot_write(path: Path) -> Iterator[None]:
    """One sentence for whatever keeps a file from being written."""
    try:
        yield
    except OSError as error:
        raise Failed(f"{path.name} cannot be written into {path.parent}: {error.strerror}") from None
