"""The end of a round: the clusters' adapters become one, layer by layer, from the files that they left on the hub's disk.

Only one layer of each cluster is in memory at a time, so the hub needs no more for a larger adapter; and since all files are
there before the first is read, neither the order in which they came nor a crash on the way can change the result.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fedspoke.api.errors import Refused
from fedspoke.api.federated_learning import Aggregation
from fedspoke.api.records import Digest, Tensor
from fedspoke.hub.aggregation import tensor_file
from fedspoke.hub.aggregation.layout import Layout
from fedspoke.hub.aggregation.strategies import fedavg


@dataclass(frozen=True, slots=True)
class Update:
    """What one cluster left: verified when it came (`layout.verify`)."""

    cluster: str
    path: Path
    weight: int
    """On how many examples it was trained."""
    layout: Layout
    """Of its own file."""


@dataclass(frozen=True, slots=True)
class Combined:
    """The round's result."""

    digest: Digest
    lora_bias: float | None


def combine(how: Aggregation, layout: Layout, start: Path, updates: Sequence[Update], result: Path) -> Combined:
    """Writes the adapter that the updates make together.

    Args:
        how: The strategy, and what it does with A and B.
        layout: Of the global adapter.
        start: The adapter that the round started from.
        updates: In any order.
        result: Where the next round's adapter goes; it is there whole or not at all.

    Raises:
        Refused: the strategy needs more updates than there are.
        Failed: a file cannot be read to its end.
    """
    if len(updates) < how.responses:
        raise Refused(f"{how.strategy} needs the updates of {how.responses} clusters, and there are {len(updates)}")
    ordered = sorted(updates, key=lambda update: update.cluster)
    weights = fedavg.shares([update.weight for update in ordered])
    with ExitStack() as files:
        sources = [files.enter_context(tensor_file.reading(update.path, update.layout)) for update in ordered]

        def values(tensor: Tensor) -> NDArray[np.float16]:
            stacked = np.stack([source.values(tensor.name) for source in sources])
            return fedavg.mean(stacked, weights).astype(tensor_file.FP16)

        return Combined(tensor_file.write(result, layout, values), None)
