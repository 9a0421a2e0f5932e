"""FedAdam (Reddi et al. 2020, arXiv 2003.00295): the second moment is an exponential mean, so v soon forgets large steps."""

import numpy as np
from numpy.typing import NDArray


def second(v: NDArray[np.float32], square: NDArray[np.float32], beta2: float) -> NDArray[np.float32]:
    """The next v: beta2·v + (1 − beta2)·square."""
    return np.float32(beta2) * v + np.float32(1 - beta2) * square
