"""What each cluster fetches in a round, and what is demanded of the adapter that it leaves.

Most often it is the global adapter for all. Under `ffa` A never changes, so clusters leave B alone. A cluster of a lower rank
fetches the first rows of A and columns of B, which `svd` has sorted by weight, and leaves that rank.
"""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from fedspoke.api.aggregation import Aggregation
from fedspoke.api.federated_learning import Lora
from fedspoke.api.records import Digest, Tensor
from fedspoke.hub.aggregation import layout as layouts
from fedspoke.hub.aggregation import tensor_file
from fedspoke.hub.aggregation.layout import Layout


@dataclass(frozen=True, slots=True)
class Terms:
    """Of one cluster in one round."""

    adapter: Path
    digest: Digest
    upload: Layout


def terms(
    clusters: Collection[str], how: Aggregation, lora: Lora, layout: Layout, adapter: Path, digest: Digest
) -> dict[str, Terms]:
    """Cluster → its terms. Writes `<adapter>.rank<r>` once for each lower rank r, and removes those of other rounds.

    Args:
        clusters: Who takes part.
        how: What it does with A and B.
        lora: The adapter that was asked for, and the lower ranks of some clusters.
        layout: Of the global adapter.
        adapter: The global adapter's file.
        digest: SHA-256 of it.
    """
    for old in adapter.parent.glob("*.rank*"):
        if old.stem != adapter.stem:
            old.unlink()
    cut: dict[int, tuple[Path, Digest]] = {lora.rank: (adapter, digest)}
    found: dict[str, Terms] = {}
    for cluster in clusters:
        rank = lora.of(cluster).rank
        own = layouts.with_rank(layout, rank)
        if rank not in cut:
            path = adapter.with_suffix(f".rank{rank}")
            cut[rank] = (path, _truncate(adapter, layout, rank, path))
        upload = tuple(tensor for tensor in own if layouts.is_b(tensor)) if how.lora == "ffa" else own
        found[cluster] = Terms(*cut[rank], upload)
    return found


def _truncate(adapter: Path, layout: Layout, rank: int, path: Path) -> Digest:
    with tensor_file.reading(adapter, layout) as source:

        def values(tensor: Tensor) -> tensor_file.Half:
            whole = source.values(tensor.name)
            return tensor_file.half(whole[:, :rank] if layouts.is_b(tensor) else whole[:rank])

        return tensor_file.write(path, layouts.with_rank(layout, rank), values)
