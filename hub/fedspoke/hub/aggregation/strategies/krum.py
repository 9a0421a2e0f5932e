"""Krum (Blanchard et al. 2017, arXiv 1703.02757): the one update that lies closest to its nearest neighbours.

With n clusters of which f may lie, an update's score is the sum of its squared distances to the n − f − 2 nearest others: honest
updates lie together, and a liar that is far off has no near neighbours. It needs n ≥ 2·f + 3.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

_BLOCK = 1 << 14  # numbers, so that a block of all clusters stays in the processor's cache


def distances(tensors: Iterable[NDArray[np.float32]]) -> NDArray[np.float64]:
    """Squared distances of each two clusters' updates, over all their tensors.

    Args:
        tensors: One after another, each clusters × numbers.
    """
    total = np.zeros((0, 0))
    for values in tensors:
        total = total if total.size else np.zeros((len(values), len(values)))
        for start in range(0, values.shape[1], _BLOCK):
            block = values[:, start : start + _BLOCK]
            for row in range(len(block) - 1):  # differences, not |x|² + |y|² − 2xy: updates differ little, and liars are huge
                apart = block[row + 1 :] - block[row]
                total[row, row + 1 :] += np.einsum("kn,kn->k", apart, apart)
    return total + total.T


def scores(apart: NDArray[np.float64], malicious: int) -> NDArray[np.float64]:
    """Of each update: the lower, the closer to its neighbours."""
    near = np.sort(apart, axis=1)[:, 1 : max(1, len(apart) - malicious - 2) + 1]  # the nearest of all is itself
    result: NDArray[np.float64] = near.sum(axis=1)
    return result


def krum(apart: NDArray[np.float64], malicious: int) -> int:
    """The update that is taken; of two with the same score, the first."""
    return int(np.argmin(scores(apart, malicious)))
