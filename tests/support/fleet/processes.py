"""A program of a cluster: its words go to a file, and its end is certain.

When the tests themselves are killed, no block is left in order: the kernel then ends the program (its parent-death signal).
"""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fedspoke.api.errors import Failed

PATH = os.pathsep.join([os.environ["PATH"], "/usr/local/sbin", "/usr/sbin", "/sbin"])
"""Where programs are found, an administrator's as well."""

_GRACE = 10
"""Seconds that a program has to end after it was asked to."""


@dataclass(frozen=True, slots=True)
class Process:
    """A started program and the file of its words."""

    name: str
    log: Path
    handle: subprocess.Popen[bytes]

    @property
    def ended(self) -> bool:
        """Whether it runs no more."""
        return self.handle.poll() is not None

    @property
    def last_words(self) -> str:
        """The last lines of its log."""
        return "\n".join(self.words().splitlines()[-8:])

    def words(self) -> str:
        """All that it said."""
        return self.log.read_text(errors="replace")


@contextmanager
def running(program: Path | str, *arguments: str, log: Path, environment: dict[str, str] | None = None) -> Iterator[Process]:
    """A program that runs until the block ends, in whatever way it ends."""
    process = started([*dies_with_us(), program, *arguments], log, environment)
    try:
        yield process
    finally:
        process.handle.terminate()
        try:
            process.handle.wait(_GRACE)
        except subprocess.TimeoutExpired:
            process.handle.kill()
            process.handle.wait()


def dies_with_us() -> list[str]:
    """What stands before a command that must not outlive the thread that starts it."""
    return ["setpriv", "--pdeathsig", "KILL"]


def started(command: Sequence[str | Path], log: Path, environment: dict[str, str] | None = None) -> Process:
    """A program that runs on, with its words added to those that the log already has."""
    with log.open("ab") as words:
        handle = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=words,
            stderr=subprocess.STDOUT,
            env=environment or _environment(),
            start_new_session=True,  # Ctrl-C is for the tests; they end what they started
        )
    return Process(log.stem, log, handle)


def call(*command: str | Path) -> str:
    """What a command says that runs to its end.

    Raises:
        Failed: it ends in an error.
    """
    ran = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, env=_environment())
    if ran.returncode:
        raise Failed(f"`{' '.join(map(str, command))}` failed: {ran.stderr.strip() or ran.stdout.strip()}")
    return ran.stdout


def _environment() -> dict[str, str]:
    return os.environ | {"PATH": PATH}
