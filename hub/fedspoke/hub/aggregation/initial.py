"""The adapter that round 1 starts from: A random, B zero, so that B·A changes nothing yet (LoRA, arXiv 2106.09685).

All clusters must start from one A: when each draws its own, the mean of the A's and the mean of the B's have little to do with
the mean of the products (measured: 85 % error instead of 14 %). The hub has no torch, so it draws A itself, each tensor from a
generator of its own that only the run's seed and the tensor's name decide.
"""

import hashlib
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fedspoke.api.records import Tensor
from fedspoke.hub.aggregation import tensor_file
from fedspoke.hub.aggregation.layout import is_b


def initial(layout: Sequence[Tensor], seed: str, path: Path) -> str:
    """Writes the first adapter: A uniform in ±1/√in, as PEFT draws it, and B = 0, both fp16.

    Returns:
        SHA-256 of the file, in hex: the same for the same layout and seed, on any machine and any numpy.
    """
    return tensor_file.write(path, layout, lambda tensor: values(tensor, seed))


def values(tensor: Tensor, seed: str) -> tensor_file.Half:
    """One tensor's first values."""
    if is_b(tensor):
        return np.zeros(tensor.shape, tensor_file.FP16)
    key = hashlib.sha256(f"{seed}/{tensor.name}".encode()).digest()[:16]
    # Raw bits, since numpy promises that a bit generator's stream never changes and promises no such thing of a distribution's.
    raw = np.random.Philox(key=int.from_bytes(key, "big")).random_raw(tensor_file.count(tensor))
    uniform = (raw >> np.uint64(11)).astype(np.float64) * 2.0**-53
    result: tensor_file.Half = ((2 * uniform - 1) / math.sqrt(tensor.shape[1])).astype(tensor_file.FP16)
    return result.reshape(tensor.shape)
