"""What becomes of one layer when the clusters' adapters are combined: each factor for itself, or the two as a product."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from fedspoke.api.records import Tensor
from fedspoke.hub.aggregation import initial, products, tensor_file
from fedspoke.hub.aggregation.layout import Pair
from fedspoke.hub.aggregation.products import Double, Gap
from fedspoke.hub.aggregation.strategies.rule import Rule
from fedspoke.hub.aggregation.tensor_file import Half, Reader, Single


class Merged(NamedTuple):
    """One layer's new factors, and how far their product is from the mean of the clusters'."""

    a: Half
    b: Half
    gap: Gap | None


Merge = Callable[[Pair], Merged]


def averaged(rule: Rule, clusters: Sequence[Reader], start: Reader, means: Single | None) -> Merge:
    """`average`: A and B each by the strategy.

    Args:
        rule: The strategy.
        clusters: What they left.
        start: What they started from.
        means: The clusters' weights where the strategy makes a weighted mean, so that the product's distance has a meaning.
    """

    def factor(tensor: Tensor, inner: Callable[[Single], Double]) -> tuple[Half, Double | None]:
        """The clusters' values of one factor are gone before those of the other are read."""
        values = stacked(clusters, tensor)
        new = rule(values, partial(_flat, start, tensor)).reshape(tensor.shape)
        return tensor_file.half(new), None if means is None else inner(values.reshape(-1, *tensor.shape))

    def merge(pair: Pair) -> Merged:
        (a, inner_a), (b, inner_b) = factor(pair.a, products.rows), factor(pair.b, products.columns)
        if means is None or inner_a is None or inner_b is None:
            return Merged(a, b, None)
        return Merged(a, b, products.averaged(inner_b, inner_a, means))

    return merge


def frozen(rule: Rule, clusters: Sequence[Reader], start: Reader, means: Single | None) -> Merge:
    """`ffa`: A stays what it was, and only B is combined, so that the mean of B is that of B·A (FFA-LoRA, arXiv 2403.12313)."""

    def merge(pair: Pair) -> Merged:
        new_b = rule(stacked(clusters, pair.b), partial(_flat, start, pair.b)).reshape(pair.b.shape)
        gap = None if means is None else Gap(0, 0)
        return Merged(tensor_file.half(start.values(pair.a.name)), tensor_file.half(new_b), gap)

    return merge


def projected(clusters: Sequence[Reader], weights: Single, seed: str) -> Merge:
    """`svd`: the best factors of the mean of the products.

    Where both factors are zero nothing is ever learned. So a direction that no cluster uses begins as all did, with A random and
    B zero, which leaves the product as it is.
    """

    def merge(pair: Pair) -> Merged:
        b, a = ([cluster.values(tensor.name) for cluster in clusters] for tensor in (pair.b, pair.a))
        best_b, best_a, gap = products.best(b, a, weights, pair.a.shape[0])
        new_a, new_b = initial.values(pair.a, seed), np.zeros(pair.b.shape, tensor_file.FP16)
        new_a[: len(best_a)], new_b[:, : len(best_a)] = tensor_file.half(best_a), tensor_file.half(best_b)
        return Merged(new_a, new_b, gap)

    return merge


def stacked(clusters: Sequence[Reader], tensor: Tensor) -> Single:
    """A tensor of all clusters: clusters × numbers."""
    values = np.empty((len(clusters), tensor_file.count(tensor)), np.float32)
    for row, cluster in zip(values, clusters, strict=True):
        cluster.read(tensor.name, row)
    return values


def _flat(start: Reader, tensor: Tensor) -> Single:
    return start.values(tensor.name).ravel()
