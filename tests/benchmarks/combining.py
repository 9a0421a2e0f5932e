"""How much memory the hub needs, and how long, to make one adapter of any number of clusters'."""

import tempfile
import tracemalloc
from pathlib import Path

from benchmarks import payload
from fedspoke.api.federated_learning import Aggregation
from fedspoke.hub.aggregation.combine import Update, combine
from support import adapters


def peak(clusters: int) -> float:
    """MB at the most while so many adapters become one."""
    with tempfile.TemporaryDirectory() as folder:
        path = adapters.save(payload.start(), Path(folder, "cluster.safetensors"))
        updates = [Update(f"cluster{number}", path, payload.EXAMPLES, payload.LAYOUT) for number in range(clusters)]
        tracemalloc.start()
        try:
            combine(Aggregation(), payload.LAYOUT, path, updates, Path(folder, "mean.safetensors"))
            return tracemalloc.get_traced_memory()[1] / 1e6
        finally:
            tracemalloc.stop()
