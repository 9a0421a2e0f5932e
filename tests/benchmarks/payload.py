"""What both systems of the benchmark carry and do: an adapter of 80 MiB, and a training that only adds.

80 tensors of 1 MiB: few and large, which is kind to Flower, whose cost is partly one per array (LLaVA 7B at rank 16 has 448
tensors in 76 MiB).
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from fedspoke.api.errors import Failed
from support import adapters

RANK = 16
LAYOUT = adapters.layout(RANK, layers=40, inner=32768, outer=32768)
MIB = sum(2 * rows * columns for rows, columns in (tensor.shape for tensor in LAYOUT)) / 2**20
EXAMPLES = 100  # of each cluster: all weigh the same

Half = NDArray[np.float16]


def train(values: Half, cluster: int) -> Half:
    """Cluster n of 1…N adds n/256, in fp32."""
    return (values.astype(np.float32) + np.float32(cluster / 256)).astype(np.float16)


def start() -> dict[str, Half]:
    """An adapter whose values are as small as a trained one's, and no two tensors equal: Flower sends equal ones once."""
    return {name: values / np.float16(64) for name, values in adapters.drawn(LAYOUT, 1).items()}


def confirm(first: Mapping[str, Half], last: Mapping[str, Half], clusters: int, rounds: int) -> None:
    """The last global adapter is the first one with what the clusters added to it.

    Raises:
        Failed: it is not; a benchmark of something that aggregates wrongly is worth nothing.
    """
    added = np.float32(rounds * (clusters + 1) / 2 / 256)
    error = max(float(np.abs(last[name].astype(np.float32) - values - added).max()) for name, values in first.items())
    if error > 2**-9:  # a round adds five times as much
        raise Failed(f"after {rounds} rounds the global adapter is wrong by {error:.4f}")
