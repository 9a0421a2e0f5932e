"""Waiting for a condition: never longer than said, never past the end of a program that has to bring it about."""

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

from fedspoke.api.errors import Failed
from support.fleet.kubernetes import Rejected, Unreachable
from support.fleet.processes import Process

T = TypeVar("T")

_SHORTEST, _LONGEST = 0.05, 0.2
"""Seconds between two looks, the longer the more of them there were: an API server that is asked has less time for what it is
asked about."""


def _anything(found: object) -> bool:
    return found is not False


def until(
    what: str,
    answer: Callable[[], T | None],
    seconds: float,
    processes: Sequence[Process] = (),
    so: Callable[[T], object] = _anything,
) -> T:
    """What `answer` gives, as soon as it is `so`: anything but None or False if not said; who says no is asked again.

    Raises:
        Failed: one of the processes ended or the time ran out; it says for what, from when to when, and what was seen last.
    """
    began, deadline, pause = datetime.now(), time.monotonic() + seconds, _SHORTEST
    while True:
        ended = [process for process in processes if process.ended]  # before it is asked: its last words may be the answer
        seen: object
        try:
            seen = found = answer()
            if found is not None and so(found):
                return found
        except (Rejected, Unreachable, Failed) as no:
            seen = no
        if ended or time.monotonic() > deadline:
            now = f"waited from {began:%H:%M:%S} to {datetime.now():%H:%M:%S}"
            why = f"{ended[0].name} ended with {ended[0].handle.returncode}" if ended else f"not so within {seconds:g} s"
            words = "".join(f"; the last words of {it.name}: {it.last_words}" for it in ended or processes)
            raise Failed(f"{what}: {why}; {now}; seen last: {seen!r}{words}")
        time.sleep(pause)
        pause = min(pause * 1.1, _LONGEST)


def says(process: Process, words: str, seconds: float) -> None:
    """Wait until a program has said these words.

    Raises:
        Failed: it ended without them, or the time ran out.
    """
    until(f"{process.name} says {words!r}", lambda: words in process.words(), seconds, [process])
