"""The coordinate-wise median (Yin et al. 2018, arXiv 1803.01498): less than half of the clusters cannot move it beyond the rest.

All clusters count the same: a liar would choose its own weight.
"""

import numpy as np
from numpy.typing import NDArray

from fedspoke.hub.aggregation.strategies.order import ordered


def median(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of clusters × numbers; between two clusters in the middle, their mean."""
    return middle(ordered(values))


def middle(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """The median of rows that are sorted."""
    low, high = rows[(len(rows) - 1) // 2], rows[len(rows) // 2]
    result: NDArray[np.float32] = (low + high) / np.float32(2)
    return result
