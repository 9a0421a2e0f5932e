"""Multi-Krum (Blanchard et al. 2017, arXiv 1703.02757): the mean of the updates with the lowest Krum scores.

More of the clusters' work is used than with Krum. How many may be taken the paper leaves open; its authors' group refuses more
than n − f − 2 (github.com/LPD-EPFL/ByzantineMomentum, aggregators/krum.py), and so do we: an update is compared with so many
others, and those that come after them may have agreed with few. The mean is unweighted: a liar would choose its own weight.
"""

import numpy as np
from numpy.typing import NDArray

from fedspoke.hub.aggregation.strategies.krum import scores


def most(clusters: int, malicious: int) -> int:
    """How many updates may be taken."""
    return clusters - malicious - 2


def multikrum(apart: NDArray[np.float64], malicious: int, select: int) -> list[int]:
    """The `select` updates that are taken."""
    return sorted(int(index) for index in np.argsort(scores(apart, malicious), kind="stable")[:select])
