"""Two platforms beside each other, and of it only what is larger than noise and chance.

A difference of shares is one when it exceeds z standard errors. Its error has two sources: the noise, which is known, and chance,
as posts are a sample of what people would post (Agresti & Caffo 2000: a success and a failure are added to each side, so that a
share of 0 is not taken for certain). z is such that with chance 0.95 two platforms that are alike differ in no topic (Bonferroni
over the topics).

Noise pulls cosines to 0: it adds sigma² · dimensions to a mean's squared length, which is known and taken off again. A mean that
is no longer than its noise has no direction to compare.
"""

import math
from collections.abc import Sequence
from itertools import combinations
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from fedspoke.api.names import PLATFORMS, Platform
from fedspoke.api.profiles import Comparison, Cosine, Difference, GeneralVisual, Profile, Topics, TopicShares
from fedspoke.api.topics import NAMES, OTHER

_MUCH = 0.05  # the least share of a topic that two platforms have in common
_Z = NormalDist().inv_cdf(1 - 0.05 / 2 / len(NAMES))
_LONGER = 3.0  # standard deviations of the noise's squared length


def compare(parts: Sequence[Profile], topics: Topics | None, visual: GeneralVisual | None) -> tuple[Comparison, ...]:
    """Each pair of platforms among the parts.

    Args:
        parts: all with embeddings by one encoder.
        topics: of these parts.
        visual: which of the parts have embeddings by one tower.
    """
    by_platform: dict[Platform, list[Profile]] = {
        platform: some for platform in PLATFORMS if (some := [part for part in parts if part.platform == platform])
    }
    seen = visual.parts if visual else ()
    return tuple(
        Comparison(
            platforms=(one, other),
            text=_cosine(_text(by_platform[one]), _text(by_platform[other])),
            visual=_cosine(_visual(by_platform[one], seen), _visual(by_platform[other], seen)),
            shared=_shared(topics.platforms[one], topics.platforms[other]) if topics else (),
            differs=_differences(topics.platforms[one], topics.platforms[other]) if topics else (),
        )
        for one, other in combinations(by_platform, 2)
    )


_Mean = tuple[NDArray[np.float64], float]  # and the standard deviation of the noise on each of its numbers


def _text(parts: Sequence[Profile]) -> _Mean | None:
    return _mean([(part.embedding, part.noise.sigma if part.noise else 0, part.posts) for part in parts])


def _visual(parts: Sequence[Profile], seen: Sequence[str]) -> _Mean | None:
    return _mean(
        [
            (part.visual.embedding, (part.noise and part.noise.visual_sigma) or 0, part.posts)
            for part in parts
            if part.visual and f"{part.cluster}/{part.platform}" in seen
        ]
    )


def _mean(weighed: Sequence[tuple[Sequence[float], float, int]]) -> _Mean | None:
    if not weighed:
        return None
    posts = sum(weight for _, _, weight in weighed)
    mean = sum(np.array(embedding) * (weight / posts) for embedding, _, weight in weighed)
    return np.asarray(mean), math.hypot(*(sigma * weight / posts for _, sigma, weight in weighed))


def _cosine(one: _Mean | None, other: _Mean | None) -> Cosine | None:
    """The cosine of what the means would be without noise; None where the noise hides it."""
    if one is None or other is None:
        return None
    (a, sigma_a), (b, sigma_b) = one, other
    square_a, square_b = _square_without_noise(a, sigma_a), _square_without_noise(b, sigma_b)
    if square_a is None or square_b is None:
        return None
    lengths = math.sqrt(square_a * square_b)
    value = min(1.0, max(-1.0, float(a @ b) / lengths))
    relative_a, relative_b = sigma_a**2 / square_a, sigma_b**2 / square_b
    of_product = relative_a + relative_b + len(a) * relative_a * relative_b
    of_lengths = value**2 * len(a) * (relative_a**2 + relative_b**2) / 2
    return Cosine(value=value, error=math.sqrt(of_product + of_lengths))


def _square_without_noise(mean: NDArray[np.float64], sigma: float) -> float | None:
    noise = len(mean) * sigma**2
    square = float(mean @ mean) - noise
    return square if square > _LONGER * sigma**2 * math.sqrt(2 * len(mean)) else None


def _shared(one: TopicShares, other: TopicShares) -> tuple[str, ...]:
    """Topics that make up a good part of both; the largest first."""
    common = {name: min(one.shares[name], other.shares[name]) for name in NAMES if name != OTHER}
    sure = [name for name in common if all(each.shares[name] >= max(_MUCH, _Z * each.error) for each in (one, other))]
    return tuple(sorted(sure, key=lambda name: -common[name]))


def _differences(one: TopicShares, other: TopicShares) -> tuple[Difference, ...]:
    found = [
        Difference(
            topic=name, shares=(one.shares[name], other.shares[name]), error=math.hypot(_error(one, name), _error(other, name))
        )
        for name in NAMES
    ]
    sure = [each for each in found if abs(each.shares[0] - each.shares[1]) > _Z * each.error]
    return tuple(sorted(sure, key=lambda each: -abs(each.shares[0] - each.shares[1])))


def _error(of: TopicShares, name: str) -> float:
    share = (of.shares[name] * of.posts + 1) / (of.posts + 2)
    return math.hypot(of.error, math.sqrt(share * (1 - share) / (of.posts + 2)))
