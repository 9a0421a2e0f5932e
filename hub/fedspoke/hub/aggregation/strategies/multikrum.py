"""Multi-Krum (Blanchard et al. 2017, arXiv 1703.02757): the mean of the updates with the lowest Krum scores.

More of the clusters' work is used than with Krum. The mean is unweighted: a liar would choose its own weight.
"""

import numpy as np
from numpy.typing import NDArray

from fedspoke.hub.aggregation.strategies.krum import scores


def multikrum(apart: NDArray[np.float64], malicious: int, select: int) -> list[int]:
    """The `select` updates that are taken."""
    return sorted(int(index) for index in np.argsort(scores(apart, malicious), kind="stable")[:select])
