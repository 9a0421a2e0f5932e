"""How mcp-server ends: at once, as its files appear only whole, but for a round that trains.

That one ends after the step at work, so that its checkpoint is there: whoever goes on has lost no step. A step that takes longer
than a pod is given to end is killed with it, and the checkpoint before it stands.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class EndedError(Exception):
    """The process was told to end; what it is at is given up."""


class Ending:
    """Of one process: `end` is told by its signals, the rest by the thread that trains.

    Each of the two first says what it is about and then looks at what the other has said, so that none waits for the other.
    """

    def __init__(self, leave: Callable[[int], object] = os._exit) -> None:
        self._leave = leave
        self._status: int | None = None
        self._training = False

    def end(self, status: int) -> None:
        """Leave with this exit status: now, or once the round at work has let go. Who says it twice does not want to wait."""
        told, self._status = self._status is not None, status
        if told or not self._training:
            self._leave(status)

    @contextmanager
    def training(self) -> Iterator[None]:
        """A round, from its begin to its end."""
        self._training = True
        try:
            yield
        finally:
            self._training = False
            if self._status is not None:
                self._leave(self._status)

    def check(self) -> None:
        """Asked between two steps.

        Raises:
            EndedError: it is time to let go.
        """
        if self._status is not None:
            raise EndedError
