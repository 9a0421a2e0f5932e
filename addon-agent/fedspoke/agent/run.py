"""The spoke's agent: every few seconds it looks at what is offered and at what runs, and writes down what has changed.

It remembers nothing: what it wrote is read again each time. What fails is said and tried again, so that it never ends by itself,
and so that the rest goes on.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Event

from fedspoke.api.errors import Failed

log = logging.getLogger("fedspoke")

_RARELY = timedelta(seconds=60)
"""The longest pause after what fails again and again."""


@dataclass(slots=True)
class Task:
    """One thing that is done again and again; each fails by itself."""

    does: Callable[[datetime], object]
    every: timedelta
    due: datetime | None = None
    pause: timedelta | None = None
    """The next one, after a failure."""

    def do(self, now: datetime) -> None:
        """Once, and no failure of it goes any further."""
        try:
            self.does(now)
            self.due, self.pause = now + self.every, None
        except Exception as failed:  # whatever it is, the rest goes on, and so may this
            if not isinstance(failed, Failed):
                log.exception("%s", type(failed).__name__)
            self.pause = min(2 * (self.pause or self.every), max(_RARELY, self.every))
            self.due = now + self.pause
            log.warning("%s; tried again in %.0f s", failed, self.pause.total_seconds())


def run(tasks: Sequence[Task], stopped: Event, now: Callable[[], datetime]) -> None:
    """Until it is stopped."""
    while not stopped.is_set():
        for task in tasks:
            if task.due is None or task.due <= now():
                task.do(now())
        soonest = min(task.due for task in tasks if task.due)
        stopped.wait(max(0.0, (soonest - now()).total_seconds()))
