"""The coordinate-wise trimmed mean (Yin et al. 2018, arXiv 1803.01498): the mean of what is left when both ends are cut off.

It holds against as many liars as are cut off at one end. All clusters count the same: a liar would choose its own weight.
"""

import numpy as np
from numpy.typing import NDArray

from fedspoke.hub.aggregation.strategies.order import ordered

_ROUNDING = 1e-9  # 0.29 · 100 is a little less than 29


def trimmed_mean(values: NDArray[np.float32], beta: float) -> NDArray[np.float32]:
    """Of clusters × numbers, without the ⌊beta · clusters⌋ largest and as many smallest."""
    cut = int(beta * len(values) + _ROUNDING)
    result: NDArray[np.float32] = ordered(values)[cut : len(values) - cut].mean(axis=0)
    return result
