"""What workers are given in tests; they find it by its module's name, as they are processes of their own."""

import os
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from fedspoke.data.exports.files import Files
from fedspoke.data.worker import MEMORY


def square(number: int) -> int:
    return number * number


def slow_if_even(number: int) -> int:
    time.sleep(0.01 * (number % 2 == 0))
    return number


def die_of_three(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGSEGV)
    return number


def die_while_it_is_there(folder: str) -> str:
    try:
        Path(folder).rmdir()
    except FileNotFoundError:
        return "done"
    os.kill(os.getpid(), signal.SIGKILL)
    return "never"


def answer_from_the_process(number: int) -> int:
    return os.getpid()


def fill_the_memory(number: int) -> str:
    try:
        bytearray(2 * MEMORY)
    except MemoryError:
        return "no more"
    return "all of it"


def write_a_file(path: str) -> str:
    try:
        Path(path).write_text("I was here")
    except OSError:
        return "refused"
    return "written"


def inverse(number: int) -> float:
    return 1 / number


def turn_if_three(number: int) -> int:
    while number == 3:
        pass
    return number


class Unknown:
    """Whoever unpickles it cannot."""

    def __call__(self, number: int) -> int:
        return number

    def __reduce__(self) -> Any:
        return print, (), {"no": "state"}


@dataclass(frozen=True)
class Deadly:
    """The files of an export, one of which kills whoever opens it."""

    files: Files
    deadly: str

    def open(self, name: str) -> BinaryIO:
        if name == self.deadly:
            os.kill(os.getpid(), signal.SIGSEGV)
        return self.files.open(name)

    def lacking(self, uri: str) -> str | None:
        return self.files.lacking(uri)

    def names(self, patterns: Iterable[str]) -> list[str]:
        return self.files.names(patterns)

    def fingerprint(self) -> str:
        return self.files.fingerprint()
