"""What every system of the benchmark carries and does: an adapter of so many MiB, and a training that only adds.

Numpy alone, since the peers run it in environments of their own. Tensors of 1 MiB: few and large, which is kind to the peers,
whose cost is partly one per array (LLaVA 7B at rank 16 has 448 tensors in 76 MiB).
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Half = NDArray[np.float16]
Single = NDArray[np.float32]

RANK = 16
WIDTH = 1 << 15  # of a layer, so that each of its two factors has 1 MiB
LAYER_MIB = 2
EXAMPLES = 100  # of each cluster: all weigh the same
MARKS = "rounds.txt"
"""The file in which a system that keeps no account of its own begins a line at the end of each round."""


def train(values: Half, cluster: int) -> Half:
    """Cluster n of 1…N adds n/256, in fp32."""
    return (values.astype(np.float32) + np.float32(cluster / 256)).astype(np.float16)


def start(mib: int) -> dict[str, Half]:
    """An adapter whose values are as small as a trained one's, and no two tensors equal: Flower sends equal ones once."""
    generator = np.random.default_rng(1)
    drawn = (generator.standard_normal((RANK, WIDTH), np.float32) / 64 for _ in range(mib))
    return {f"tensor{number:04}": values.astype(np.float16) for number, values in enumerate(drawn)}


def mark(file: Path, number: int) -> None:
    """Round `number` of 1…N is done: the next one could begin."""
    with file.open("a") as lines:
        lines.write(f"{number}\n")


def keep(folder: Path, last: Mapping[str, Half]) -> None:
    """The last round's adapter; its name appears once it is whole."""
    partial = folder / "partial.npz"
    np.savez(partial, allow_pickle=False, **last)
    partial.rename(folder / "result.npz")


def kept(folder: Path) -> dict[str, Half] | None:
    """What `keep` left, if it did yet."""
    file = folder / "result.npz"
    if not file.exists():
        return None
    with np.load(file) as arrays:
        return dict(arrays)


def confirm(first: Mapping[str, Half], last: Mapping[str, Half], clusters: int, rounds: int) -> None:
    """The last global adapter is the first one with what the clusters added to it.

    Raises:
        ValueError: it is not; a benchmark of something that aggregates wrongly is worth nothing.
    """
    added = np.float32(rounds * (clusters + 1) / 2 / 256)
    error = max(float(np.abs(last[name].astype(np.float32) - values - added).max()) for name, values in first.items())
    if not error < 2**-9:  # a round adds five times as much
        raise ValueError(f"after {rounds} rounds the global adapter is wrong by {error:.4f}")
