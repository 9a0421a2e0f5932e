"""How much memory the hub's mean takes, for any number of clusters."""

import tempfile
import tracemalloc
from pathlib import Path

from benchmarks import payload
from fedspoke.hub.aggregation.fold import Fold
from support import adapters


def peak(clusters: int) -> float:
    """MB at the most while so many adapters become one."""
    with tempfile.TemporaryDirectory() as folder:
        path = adapters.save(payload.start(), Path(folder, "cluster.safetensors"))
        tracemalloc.start()
        try:
            fold = Fold(payload.LAYOUT)
            for _ in range(clusters):
                fold.add(path, payload.EXAMPLES)
            fold.mean(Path(folder, "mean.safetensors"))
            return tracemalloc.get_traced_memory()[1] / 1e6
        finally:
            tracemalloc.stop()
