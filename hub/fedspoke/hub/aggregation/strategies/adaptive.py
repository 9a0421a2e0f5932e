"""What FedAdam and FedYogi share (Reddi et al. 2020, arXiv 2003.00295, algorithm 2): an optimiser's step on the hub.

How far the clusters' mean lies from where they started is taken for a gradient. Its first moment m and second moment v are kept
from round to round, and each number of the adapter moves by learningRate · m / (√v + tau): those that all rounds push the same
way go faster. As clusters start from fp16, what a step changes by less than half of its last place is lost.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Single = NDArray[np.float32]
Second = Callable[[Single, Single, float], Single]
"""v, the square of the pseudo-gradient, beta2 → the next v."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimizer:
    """Its numbers. beta1, beta2 and tau are the paper's; the step is smaller than for whole models, as LoRA's values are."""

    learning_rate: float = 0.01
    beta1: float = 0.9
    beta2: float = 0.99
    tau: float = 1e-3

    @classmethod
    def of(cls, options: Mapping[str, float]) -> Self:
        """From spec.server.aggregation.options."""
        return cls(**{"learning_rate" if name == "learningRate" else name: value for name, value in options.items()})

    def first(self, shape: tuple[int, ...]) -> tuple[Single, Single]:
        """Both moments, m and v, before the first round."""
        return np.zeros(shape, np.float32), np.full(shape, self.tau**2, np.float32)

    def step(self, start: Single, mean: Single, m: Single, v: Single, second: Second) -> tuple[Single, Single, Single]:
        """The next round's values, m and v. All are fp32 and of one shape."""
        gradient = mean - start
        m = np.float32(self.beta1) * m + np.float32(1 - self.beta1) * gradient
        v = second(v, np.square(gradient), self.beta2)
        moved = start + np.float32(self.learning_rate) * m / (np.sqrt(v) + np.float32(self.tau))
        return np.asarray(moved, np.float32), m, v
