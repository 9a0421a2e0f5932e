"""Bulyan (El Mhamdi et al. 2018, arXiv 1802.07927): Krum chooses updates, then each number is a mean around their median.

Krum alone sees whole updates, so that a liar may hide one large number among a million honest ones. It needs n ≥ 4·f + 3.
"""

import numpy as np
from numpy.typing import NDArray

from fedspoke.hub.aggregation.strategies.fedmedian import middle
from fedspoke.hub.aggregation.strategies.krum import krum
from fedspoke.hub.aggregation.strategies.order import ordered


def chosen(apart: NDArray[np.float64], malicious: int) -> list[int]:
    """Which n − 2·f updates count: Krum's choice, again and again among those that are left."""
    left, taken = list(range(len(apart))), list[int]()
    while len(taken) < len(apart) - 2 * malicious:
        taken.append(left.pop(krum(apart[np.ix_(left, left)], malicious)))
    return sorted(taken)


def around_median(values: NDArray[np.float32], malicious: int) -> NDArray[np.float32]:
    """Each number is the mean of the chosen updates' values but for the 2·f farthest from their median.

    Args:
        values: chosen × numbers.
        malicious: f.
    """
    rows = ordered(values)
    median, kept = middle(rows), len(rows) - 2 * malicious
    # What is nearest to the median lies together in a sorted column: the best of the 2·f + 1 places where it may begin.
    nearest, result = np.full_like(median, np.inf), np.empty_like(median)
    for begin in range(2 * malicious + 1):
        farthest = np.maximum(median - rows[begin], rows[begin + kept - 1] - median)
        better = farthest < nearest
        nearest = np.where(better, farthest, nearest)
        result = np.where(better, rows[begin : begin + kept].mean(axis=0), result)
    return result
