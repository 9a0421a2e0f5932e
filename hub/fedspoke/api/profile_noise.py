"""How much noise each part of a profile gets, so that all of it together spends the epsilon that was asked for.

A release has up to three parts: the text embedding, the visual one, the topics' counts. Their mu² add up, so each gets an equal
share of mu², and with it √parts times the noise that it would need alone.

Neighbours are posts of which one was replaced by any other (replace-one). It moves a mean of n vectors of length 1 at most by
2 / n, and two counts by one each, which is √2.
"""

import math

from fedspoke.api.noise import sigma
from fedspoke.api.profiles import Noise
from fedspoke.api.training import Profiles


def noise(spec: Profiles, posts: int, *, visual: bool) -> Noise | None:
    """The noise of one release; None when none is asked for.

    Args:
        spec: epsilon and delta, and whether topics are counted.
        posts: at least one.
        visual: whether the release has a visual embedding.
    """
    if spec.epsilon is None:
        return None
    unit = sigma(spec.epsilon, spec.delta, math.sqrt(1 + visual + spec.topics))  # of a part whose sensitivity is 1
    mean = unit * 2 / posts
    return Noise(
        epsilon=spec.epsilon,
        delta=spec.delta,
        sigma=mean,
        visual_sigma=mean if visual else None,
        topics_sigma=unit * math.sqrt(2) if spec.topics else None,
        spent_epsilon=spec.epsilon,
    )
