"""How far a long work has come, for whoever waits for it."""

import time
from collections.abc import Callable

Progress = Callable[[str, int, int | None], None]
"""Hears what is counted, how many of it are done, and of how many (None: nobody knows yet)."""


def paced(show: Callable[[str], None], seconds: float, clock: Callable[[], float] = time.monotonic) -> Progress:
    """Shows a line no more often than every so many seconds: `photos decoded: 1,200 of 50,000, 85/s`."""
    counted, first, began = "", 0, clock()
    shown = began

    def progress(what: str, done: int, total: int | None) -> None:
        nonlocal counted, first, began, shown
        now = clock()
        if what != counted:
            counted, first, began = what, done, now
        if now - shown < seconds:
            return
        shown = now
        of = "" if total is None else f" of {total:,}"
        rate = f", {(done - first) / (now - began):,.0f}/s" if now > began else ""
        show(f"{what}: {done:,}{of}{rate}")

    return progress
