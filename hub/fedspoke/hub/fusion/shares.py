"""What posts are about, over all profiles and by platform: counts become shares, which do not grow with the number of posts."""

import math
from collections.abc import Sequence

from fedspoke.api.names import PLATFORMS
from fedspoke.api.profiles import Profile, Topics, TopicShares
from fedspoke.api.topics import NAMES


def by_topic(parts: Sequence[Profile]) -> Topics | None:
    """The shares over the parts that count topics; None when none does.

    Args:
        parts: each let in by `admission.check`, so that it counts every topic or none.
    """
    counting = [part for part in parts if part.topics is not None]
    if not counting:
        return None
    by_platform = {platform: [part for part in counting if part.platform == platform] for platform in PLATFORMS}
    return Topics(total=_of(counting), platforms={platform: _of(some) for platform, some in by_platform.items() if some})


def _of(parts: Sequence[Profile]) -> TopicShares:
    posts = sum(part.posts for part in parts)
    counts = {name: sum((part.topics or {})[name] for part in parts) for name in NAMES}
    sigmas = [(part.noise and part.noise.topics_sigma) or 0 for part in parts]
    return TopicShares(
        posts=posts,
        # Noise may take it out of 0 to 1. What is cut off is cut off of the sum: of each part it would add up.
        shares={name: min(1.0, max(0.0, count / posts)) for name, count in counts.items()},
        error=math.hypot(*sigmas) / posts,
    )
