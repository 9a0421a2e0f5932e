"""How large each step is: the learning rate rises once and falls once, over all rounds of a federation together.

Schedules of single rounds would begin each with a rise and end each near 0, so that clusters would never train fast for long.
The shapes are those of transformers' `get_*_schedule_with_warmup`, but a rise starts above 0: of a federation that has one step a
round, the first round would else teach nothing.
"""

import math
from typing import Literal

Schedule = Literal["constant", "linear", "cosine"]


def share(schedule: Schedule, warmup: float, step: int, steps: int) -> float:
    """The part of the peak learning rate that one step takes.

    Args:
        schedule: How it falls after the warm-up.
        warmup: Share of all steps in which it rises.
        step: Of all rounds together, from 1.
        steps: Of all rounds together; a later step is the last one again.
    """
    rising = int(warmup * steps)
    if step <= rising:
        return step / (rising + 1)
    done = (min(step, steps) - 1 - rising) / (steps - rising)
    match schedule:
        case "constant":
            return 1.0
        case "linear":
            return 1.0 - done
        case "cosine":
            return (1.0 + math.cos(math.pi * done)) / 2
