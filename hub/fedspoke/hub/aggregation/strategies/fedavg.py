"""Federated averaging (McMahan et al. 2017, arXiv 1602.05629). The hub's half of FedProx (arXiv 1812.06127) is the same."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def shares(examples: Sequence[int]) -> NDArray[np.float32]:
    """What part of the mean each cluster is: its examples of all examples."""
    weights = np.array(examples, np.float64)
    parts: NDArray[np.float32] = (weights / weights.sum()).astype(np.float32)
    return parts


def mean(values: NDArray[np.float32], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Σ weight·value.

    Args:
        values: clusters × any shape. They came as fp16, and are added in fp32: fp16 arithmetic loses small clusters.
        weights: One a cluster, together 1.
    """
    return np.asarray(np.tensordot(weights, values, axes=1))
