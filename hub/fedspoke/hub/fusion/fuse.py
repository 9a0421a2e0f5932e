"""Many platforms' profiles on many clusters become one: the mean of all posts' embeddings, as far as they may be known.

Each profile is already a mean over its posts, so weighting it by its count gives what the mean over all posts would be.
"""

import math
from collections.abc import Sequence

import numpy as np

from fedspoke.api.errors import Refused
from fedspoke.api.records import GeneralProfile, Profile, ProfilePart

_LONGEST = 1e6  # length of an embedding; a mean of unit-length ones has at most 1, and only noise adds to it


def fuse(run: str, profiles: Sequence[Profile]) -> GeneralProfile:
    """The count-weighted mean, normalised to length 1, with its parts (by cluster and platform) and their cosines.

    Raises:
        Refused: a profile cannot be compared with those before it, or says nothing; the sentence names its cluster.
    """
    _check(profiles)
    parts = sorted(profiles, key=lambda profile: (profile.cluster, profile.platform))
    # fp64; one row a part. A profile's own length is kept: posts that agree give a longer mean, and so weigh more.
    embeddings = np.array([part.embedding for part in parts])
    posts = sum(part.posts for part in parts)
    weights = np.array([part.posts for part in parts]) / posts
    mean = weights @ embeddings
    length = np.linalg.norm(mean)
    if not length:
        raise Refused("the profiles cancel each other out: their mean has no direction")
    directions = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    cosines = np.clip(directions @ directions.T, -1, 1)
    np.fill_diagonal(cosines, 1)
    return GeneralProfile(
        run=run,
        embedding=tuple((mean / length).tolist()),
        encoder=parts[0].encoder,
        posts=posts,
        parts=tuple(
            ProfilePart(cluster=part.cluster, platform=part.platform, posts=part.posts, weight=weight, noise=part.noise)
            for part, weight in zip(parts, weights.tolist(), strict=True)
        ),
        cosines=tuple(map(tuple, cosines.tolist())),
    )


def _check(profiles: Sequence[Profile]) -> None:
    if not profiles:
        raise Refused("there is no profile to fuse")
    first, seen = profiles[0], set()
    for profile in profiles:
        which = f"the {profile.platform} profile of {profile.cluster}"
        if profile.encoder != first.encoder:
            raise Refused(f"{which} was made by encoder {profile.encoder:.12}, those before it by {first.encoder:.12}")
        if len(profile.embedding) != len(first.embedding):
            raise Refused(f"{which} has {len(profile.embedding)} dimensions, those before it {len(first.embedding)}")
        if profile.posts < 1:
            raise Refused(f"{which} is of {profile.posts} posts")
        if not 0 < (length := math.hypot(*profile.embedding)) <= _LONGEST:
            raise Refused(f"{which} has an embedding of length {length:g}, which no mean of unit-length embeddings has")
        if not math.isfinite(profile.loss_before) or not math.isfinite(profile.loss_after):
            raise Refused(f"{which} gives a loss that is no number")
        if (profile.cluster, profile.platform) in seen:
            raise Refused(f"{which} is there twice")
        seen.add((profile.cluster, profile.platform))
