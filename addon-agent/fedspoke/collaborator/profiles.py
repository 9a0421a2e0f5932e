"""What a profile says of a platform's posts: means of their embeddings and counts of their topics, noised so that no single post
shows. Embeddings can be turned back into texts (arXiv 2310.06816) and a mean over few posts is close to each of them, hence the
least number of posts and the noise. Not noised: the number of posts is exact, the two dates are whole days.
"""

import random
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from fedspoke.api.names import Platform
from fedspoke.api.training import Profiles
from fedspoke.data.records import CleanRecord


def refusal(cluster: str, platform: Platform, posts: int, spec: Profiles) -> str | None:
    """Why a platform's profile is not shared; None when it is."""
    if not spec.enabled:
        return "profiles.enabled is false"
    if posts < spec.min_posts:
        return f"{cluster} has {posts} {platform} posts with text, fewer than profiles.minPosts, {spec.min_posts}"
    return None


def visual_refusal(cluster: str, platform: Platform, posts: Sequence[CleanRecord], spec: Profiles) -> str | None:
    """Why a platform's profile has no visual embedding; None when it has one. How many posts have a photo is not told."""
    if not spec.visual:
        return "profiles.visual is false"
    if sum(post.image is not None for post in posts) < spec.min_posts:
        return f"fewer than profiles.minPosts, {spec.min_posts}, of {cluster}'s {platform} posts have a photo"
    return None


def photos(post: CleanRecord) -> tuple[str, ...]:
    """All photos of a post, as its record names them."""
    return post.images or ((post.image,) if post.image else ())


def noised_mean(vectors: NDArray[np.float32], sigma: float, draw: random.Random) -> tuple[float, ...]:
    """The mean, with noise of this standard deviation on each number.

    Args:
        vectors: (posts, width), at least one; a vector longer than 1 is shortened, since the noise is measured for length 1.
        sigma: 0 asks for no noise.
        draw: where the noise comes from; `random.SystemRandom()` but in tests, since a seeded draw can be taken off again.
    """
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    mean = (vectors / np.maximum(lengths, 1)).mean(axis=0, dtype=np.float64)
    return tuple(value + draw.gauss(0, sigma) for value in mean.tolist())


def noised_counts(counts: Mapping[str, int], sigma: float, draw: random.Random) -> dict[str, int]:
    """The counts, noised likewise, then rounded. They may be below 0: were that cut off of each, their sum would be too high."""
    return {name: round(count + draw.gauss(0, sigma)) for name, count in counts.items()}


def span(timestamps: Iterable[int | None]) -> tuple[datetime | None, datetime | None]:
    """The first and the last day of the posts that have a time (Unix seconds), as midnights in UTC.

    To the second, the two would tell when two single posts were made, by which they can be found on the platform.
    """
    known = [timestamp for timestamp in timestamps if timestamp is not None]
    return (_midnight(min(known)), _midnight(max(known))) if known else (None, None)


def _midnight(timestamp: int) -> datetime:
    return datetime.fromtimestamp(timestamp, UTC).replace(hour=0, minute=0, second=0)
