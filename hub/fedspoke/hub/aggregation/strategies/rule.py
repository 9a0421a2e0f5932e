"""From the strategy that a CR names to what is done with the numbers of a tensor.

All work on each number of A and B for itself, but those of Krum's family first compare whole updates.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from fedspoke.api.aggregation import BETA, Aggregation
from fedspoke.hub.aggregation.moments import Moments
from fedspoke.hub.aggregation.strategies import bulyan, fedadam, fedavg, fedmedian, fedyogi, krum, multikrum, trimmedmean
from fedspoke.hub.aggregation.strategies.adaptive import Optimizer, Second

Single = NDArray[np.float32]
Rule = Callable[[Single, Callable[[], Single]], Single]
"""Clusters × numbers, and what gives the numbers that they started from → the numbers of the result."""

ADAPTIVE = ("fedadam", "fedyogi")
"""Strategies that remember moments."""

MEANS = ("fedavg", "fedprox", *ADAPTIVE)
"""Strategies that make the weighted mean: as their result, or as where they step to."""


def rule(  # noqa: PLR0911  one for each strategy
    how: Aggregation, weights: Single, updates: Iterable[Single], moments: Moments | None
) -> Rule:
    """What the strategy does with each tensor.

    Args:
        how: The strategy and its options.
        weights: One a cluster, together 1; the robust strategies pass them over.
        updates: All tensors, each clusters × numbers, for strategies that choose among whole updates.
        moments: For strategies that remember.
    """
    options, liars = how.options, how.malicious
    match how.strategy:
        case "fedavg" | "fedprox":
            return lambda values, _: fedavg.mean(values, weights)
        case "fedadam":
            return _adaptive(Optimizer.of(options), fedadam.second, weights, moments)
        case "fedyogi":
            return _adaptive(Optimizer.of(options), fedyogi.second, weights, moments)
        case "fedmedian":
            return lambda values, _: fedmedian.median(values)
        case "trimmedmean":
            return lambda values, _: trimmedmean.trimmed_mean(values, options.get("beta", BETA))
        case "krum":
            return _among([krum.krum(krum.distances(updates), liars)])
        case "multikrum":
            select = int(options.get("select", multikrum.most(len(weights), liars)))
            return _among(multikrum.multikrum(krum.distances(updates), liars, select))
        case "bulyan":
            taken = bulyan.chosen(krum.distances(updates), liars)
            return lambda values, _: bulyan.around_median(values[taken], liars)


def _among(taken: Sequence[int]) -> Rule:
    equal = np.full(len(taken), 1 / len(taken), np.float32)
    return lambda values, _: fedavg.mean(values[taken], equal)


def _adaptive(optimizer: Optimizer, second: Second, weights: Single, moments: Moments | None) -> Rule:
    def step(values: Single, start: Callable[[], Single]) -> Single:
        assert moments is not None  # noqa: S101  combine opens them for these strategies
        m, v = moments.next(optimizer.first(values.shape[1:]))
        result, m, v = optimizer.step(start(), fedavg.mean(values, weights), m, v, second)
        moments.keep(m, v)
        return result

    return step
