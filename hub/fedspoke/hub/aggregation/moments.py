"""What a server optimiser remembers from round to round: a file beside the round's checkpoint, read and written in step.

It holds fp32 numbers and nothing else: m and v of each tensor, in the order in which a round combines them, which is always the
same. There is none before the first round, which starts from checkpoint 0.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader, BufferedWriter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fedspoke.api.errors import Failed
from fedspoke.api.files import sync

Single = NDArray[np.float32]


def beside(adapter: Path) -> Path:
    """Where the moments after a round are kept."""
    return adapter.with_suffix(".moments")


class Moments:
    """The moments before the round, and those after it."""

    def __init__(self, before: BufferedReader | None, after: BufferedWriter) -> None:
        self._before = before
        self._after = after

    def next(self, first: tuple[Single, Single]) -> tuple[Single, Single]:
        """The tensor that comes next: its m and v, or `first` where there was no round before.

        Raises:
            Failed: the file ends.
        """
        if self._before is None:
            return first
        m, v = (np.empty_like(moment) for moment in first)
        for moment in (m, v):
            if self._before.readinto(moment.data.cast("B")) != moment.nbytes:
                raise Failed(f"{self._before.name} is shorter than the adapter's moments; restore it or empty the folder")
        return m, v

    def keep(self, m: Single, v: Single) -> None:
        """What the next round begins with."""
        for moment in (m, v):
            self._after.write(np.ascontiguousarray(moment).data)


@contextmanager
def moments(before: Path, after: Path) -> Iterator[Moments]:
    """Both files, the second of which is there whole or not at all.

    Raises:
        Failed: the first cannot be opened, or is not of this adapter.
    """
    partial = after.with_name(f"{after.name}.partial")
    try:
        with partial.open("wb") as written, _opened(before) as read:
            yield Moments(read, written)
            if read is not None and read.read(1):
                raise Failed(f"{before} is longer than the adapter's moments; restore it or empty the folder")
            written.flush()
            os.fsync(written.fileno())
        partial.replace(after)
        sync(after.parent)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def _opened(path: Path) -> Iterator[BufferedReader | None]:
    try:
        file = path.open("rb")
    except FileNotFoundError:
        if path.stem != "0":
            raise Failed(f"{path} is gone, and with it what {path.stem} rounds taught; restore it or empty the folder") from None
        yield None
        return
    except OSError as error:
        raise Failed(f"{path} cannot be opened: {error.strerror}") from error
    with file:
        yield file
