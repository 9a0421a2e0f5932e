"""What a profile says of a platform's posts: the mean of their text embeddings, noised so that no single post shows, and
counts. Embeddings can be turned back into texts (arXiv 2310.06816) and a mean over few posts is close to each of them,
hence the least number of posts and the noise. Only the embedding is noised: the number of posts and the two losses are
exact, the two dates are whole days.
"""

import random
from collections.abc import Iterable
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from fedspoke.api.names import Platform
from fedspoke.api.noise import sigma
from fedspoke.api.records import Noise
from fedspoke.api.training import Profiles


def refusal(cluster: str, platform: Platform, posts: int, spec: Profiles) -> str | None:
    """Why a platform's profile is not shared; None when it is."""
    if not spec.enabled:
        return "profiles.enabled is false"
    if posts < spec.min_posts:
        return f"{cluster} has {posts} {platform} posts with text, fewer than profiles.minPosts, {spec.min_posts}"
    return None


def summary(vectors: NDArray[np.float32], spec: Profiles, draw: random.Random) -> tuple[tuple[float, ...], Noise | None]:
    """The mean of the posts' embeddings and the noise that it went through.

    Args:
        vectors: (posts, width), at least one; a vector longer than 1 is shortened, since the noise is measured for length 1.
        spec: epsilon None asks for no noise.
        draw: where the noise comes from; `random.SystemRandom()` but in tests, since a seeded draw can be taken off again.
    """
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    mean = (vectors / np.maximum(lengths, 1)).mean(axis=0, dtype=np.float64)
    if spec.epsilon is None:
        return tuple(mean.tolist()), None
    # Replacing one post moves a mean of n unit vectors by at most 2 / n.
    scale = sigma(spec.epsilon, spec.delta, 2 / len(vectors))
    noised = tuple(value + draw.gauss(0, scale) for value in mean.tolist())
    return noised, Noise(epsilon=spec.epsilon, delta=spec.delta, sigma=scale)


def span(timestamps: Iterable[int | None]) -> tuple[datetime | None, datetime | None]:
    """The first and the last day of the posts that have a time (Unix seconds), as midnights in UTC.

    To the second, the two would tell when two single posts were made, by which they can be found on the platform.
    """
    known = [timestamp for timestamp in timestamps if timestamp is not None]
    return (_midnight(min(known)), _midnight(max(known))) if known else (None, None)


def _midnight(timestamp: int) -> datetime:
    return datetime.fromtimestamp(timestamp, UTC).replace(hour=0, minute=0, second=0)
