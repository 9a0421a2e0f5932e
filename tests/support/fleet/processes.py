"""A program of a cluster for the length of a `with` block: its words go to a file, and its end is certain.

When the tests themselves are killed, no block is left in order: the kernel then ends the program (its parent-death signal).
"""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from fedspoke.api.errors import Failed

T = TypeVar("T")

_GRACE = 10
"""Seconds that a program has to end after it was asked to."""


@dataclass(frozen=True, slots=True)
class Process:
    """A started program and the file of its words."""

    name: str
    log: Path
    handle: subprocess.Popen[bytes]

    def until(self, answer: Callable[[], T | None], what: str, seconds: float) -> T:
        """What `answer` gives, as soon as it gives anything but None.

        Raises:
            Failed: the program ended, or the time ran out; with the last lines of its log.
        """
        deadline = time.monotonic() + seconds
        while (found := answer()) is None:
            if self.handle.poll() is not None:
                raise Failed(f"{self.name} ended with {self.handle.returncode} before {what}; its last words: {self._last()}")
            if time.monotonic() > deadline:
                raise Failed(f"{what} did not happen within {seconds:g} s; the last words of {self.name}: {self._last()}")
            time.sleep(0.02)
        return found

    def says(self, words: str, seconds: float) -> None:
        """Wait until the program has said these words.

        Raises:
            Failed: it ended without them, or the time ran out.
        """
        self.until(lambda: words in self.log.read_text(errors="replace") or None, f"{self.name} said {words!r}", seconds)

    def _last(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-8:])


@contextmanager
def running(program: Path, *arguments: str, log: Path, environment: dict[str, str] | None = None) -> Iterator[Process]:
    """A program that runs until the block ends, in whatever way it ends."""
    name = log.stem
    with log.open("wb") as words:
        handle = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=words,
            stderr=subprocess.STDOUT,
            env=environment,
        )
    try:
        yield Process(name, log, handle)
    finally:
        handle.terminate()
        try:
            handle.wait(_GRACE)
        except subprocess.TimeoutExpired:
            handle.kill()
            handle.wait()
