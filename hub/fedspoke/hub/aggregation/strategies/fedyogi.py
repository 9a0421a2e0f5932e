"""FedYogi (Reddi et al. 2020, arXiv 2003.00295): v moves by no more than the last square, so one round cannot shake it."""

import numpy as np
from numpy.typing import NDArray


def second(v: NDArray[np.float32], square: NDArray[np.float32], beta2: float) -> NDArray[np.float32]:
    """The next v: v − (1 − beta2)·square·sign(v − square)."""
    result: NDArray[np.float32] = v - np.float32(1 - beta2) * square * np.sign(v - square)
    return result
