"""The end of a round: the clusters' adapters become one, layer by layer, from the files that they left on the hub's disk.

Only a few layers of each cluster are in memory at a time, so the hub needs no more for a larger adapter; and since all files are
there before the first is read, neither the order in which they came nor a crash on the way can change the result.
"""

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from fedspoke.api.aggregation import Aggregation
from fedspoke.api.errors import Refused
from fedspoke.api.records import Digest, Tensor
from fedspoke.hub.aggregation import layers, products, tensor_file
from fedspoke.hub.aggregation.layout import Layout, Pair, is_b, layer, pairs
from fedspoke.hub.aggregation.moments import beside, moments
from fedspoke.hub.aggregation.strategies import fedavg
from fedspoke.hub.aggregation.strategies.rule import ADAPTIVE, MEANS, rule

_THREADS = min(4, os.cpu_count() or 1)  # numpy computes without Python's lock


@dataclass(frozen=True, slots=True)
class Update:
    """What one cluster left: verified when it came (`layout.verify`)."""

    cluster: str
    path: Path
    weight: int
    """On how many examples it was trained."""
    layout: Layout
    """Of its own file: B alone under `ffa`, and another rank than the global adapter's under `svd`."""


@dataclass(frozen=True, slots=True)
class Combined:
    """The round's result."""

    digest: Digest
    lora_bias: float | None
    """‖B·A − Σ w·Bₖ·Aₖ‖ / ‖Σ w·Bₖ·Aₖ‖ over all layers as one, w by examples, before B and A are rounded to fp16 (2e-4).

    `average`: how far the product of the means is from the mean of the products; `svd`: what the rank cuts off; `ffa`: 0, as A is
    the same for all. Of fedadam and fedyogi, where they step to is measured. None for strategies that make no such mean.
    """


def combine(how: Aggregation, layout: Layout, start: Path, updates: Sequence[Update], result: Path) -> Combined:
    """Writes the adapter that the updates make together.

    Args:
        how: The strategy, and what it does with A and B.
        layout: Of the global adapter.
        start: The adapter that the round started from; a server optimiser's moments are beside it (`.moments`).
        updates: In any order.
        result: Where the next round's adapter goes, and its moments beside it; each is there whole or not at all.

    Raises:
        Refused: the strategy needs more updates than there are.
        Failed: a file cannot be read to its end.
    """
    if len(updates) < how.responses:
        raise Refused(f"{how.strategy} needs the updates of {how.responses} clusters, and there are {len(updates)}")
    ordered = sorted(updates, key=lambda update: update.cluster)
    weights = fedavg.shares([update.weight for update in ordered])
    memory = None
    with ExitStack() as files:
        clusters = [files.enter_context(tensor_file.reading(update.path, update.layout)) for update in ordered]
        if how.lora == "svd":
            merge = layers.projected(clusters, weights, seed=result.stem)
        else:
            changed = [tensor for tensor in layout if how.lora == "average" or is_b(tensor)]
            memory = files.enter_context(moments(beside(start), beside(result))) if how.strategy in ADAPTIVE else None
            strategy = rule(how, weights, (layers.stacked(clusters, tensor) for tensor in changed), memory)
            before = files.enter_context(tensor_file.reading(start, layout))
            way = layers.averaged if how.lora == "average" else layers.frozen
            merge = way(strategy, clusters, before, weights if how.strategy in MEANS else None)
        by_layer, gaps, made = pairs(layout), list[products.Gap | None](), dict[str, tensor_file.Half]()
        in_order = list(dict.fromkeys(layer(tensor) for tensor in tensor_file.by_name(layout)))
        merged = files.enter_context(_ahead(merge, [by_layer[name] for name in in_order], 1 if memory else _THREADS))

        def values(tensor: Tensor) -> tensor_file.Half:
            while tensor.name not in made:
                pair, (a, b, gap) = next(merged)
                made[pair.a.name], made[pair.b.name] = a, b
                gaps.append(gap)
            return made.pop(tensor.name)

        digest = tensor_file.write(result, layout, values)
    return Combined(digest, products.bias(gaps))


@contextmanager
def _ahead(merge: layers.Merge, layer_pairs: Sequence[Pair], threads: int) -> Iterator[Iterator[tuple[Pair, layers.Merged]]]:
    """The layers, merged by threads that are so many layers ahead of whoever takes them, in order."""
    with ThreadPoolExecutor(threads, "combine") as pool:

        def merged() -> Iterator[tuple[Pair, layers.Merged]]:
            coming = deque[Future[layers.Merged]]()
            for number, pair in enumerate(layer_pairs):
                while len(coming) <= threads and number + len(coming) < len(layer_pairs):
                    coming.append(pool.submit(merge, layer_pairs[number + len(coming)]))
                yield pair, coming.popleft().result()

        try:
            yield merged()
        finally:
            pool.shutdown(cancel_futures=True)
