"""The last lines of this process's own log, for whoever looks at it through the server.

Our own sentences alone: no traceback and no library's line, since the text of an error may quote a post.
"""

import logging
from collections import deque

LINES = 200
_LONGEST = 500  # characters of a line


class Tail(logging.Handler):
    """Keeps them in memory."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._lines: deque[str] = deque(maxlen=LINES)
        self._time = logging.Formatter()

    def emit(self, record: logging.LogRecord) -> None:
        """Called by `logging`, in whichever thread."""
        said = " ".join(record.getMessage().split())[:_LONGEST]
        self._lines.append(f"{self._time.formatTime(record)} {record.levelname} {said}")

    def text(self) -> str:
        """From the oldest to the newest."""
        return "\n".join(list(self._lines))
