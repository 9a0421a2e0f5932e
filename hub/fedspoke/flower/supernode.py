"""`fedspoke-flower-supernode`: Flower's SuperNode, which asks for the next order soon after it has answered one.

Flower's own waits 3 s after each look that found nothing, and no setting shortens that: of a round with small updates it is the
longest part (`make bench`). Here the first pause after an answer is short and each is a tenth longer than the one before, up to
Flower's 3 s, so that a node that has long had nothing to do asks as seldom as ever.

Flower's loop gets another clock, and nothing else of it is touched. That the loop takes only these pauses from its clock is made
sure before it starts, and `programs` runs the one release for which this was written.
"""

import inspect
import re
import sys
import time
from collections.abc import Callable

IDLE = 3
ANSWER = 0.5
PAUSES = [f"sleep({IDLE})", f"sleep({ANSWER})", f"sleep({ANSWER})"]
"""What Flower's loop asks its clock for: when there was no order; while an order is not answered yet, or not wholly."""

_FIRST, _LONGER = 0.25, 1.1
_LOOK = 0.2  # at an answer of this machine's own


class Clock:
    """What Flower's loop has for `time`."""

    def __init__(self, wait: Callable[[float], None] = time.sleep) -> None:
        self._wait = wait
        self._pause = _FIRST

    def sleep(self, seconds: float) -> None:
        """As long as it is worth."""
        if seconds == IDLE:
            self._wait(self._pause)
            self._pause = min(self._pause * _LONGER, IDLE)
        else:  # an order is at work
            self._wait(min(seconds, _LOOK))
            self._pause = _FIRST


def main() -> None:
    """As `flower-supernode`, with its arguments."""
    import flwr.supernode.start_client_internal as loop
    from flwr.supernode.cli.flower_supernode import flower_supernode

    found = re.findall(r"\btime\.(\w+\(.*?\))", inspect.getsource(loop))
    if found != PAUSES:
        sys.exit(f"Flower's loop asks its clock for {', '.join(found)} instead of {', '.join(PAUSES)}: it is another release")
    loop.time = Clock()  # type: ignore[assignment, attr-defined]  # the loop knows no other clock
    flower_supernode()
