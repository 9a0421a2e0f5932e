"""Many platforms' profiles on many clusters become one: the mean of all posts' embeddings, as far as they may be known.

Each profile is already a mean over its posts, so weighting it by its count gives what the mean over all posts would be.
Embeddings of two encoders have no mean: the encoder of most clusters decides, and the profiles of another are left out and
named, so that no single cluster can keep the others' out.
"""

from collections.abc import Sequence

import numpy as np

from fedspoke.api.errors import Refused
from fedspoke.api.records import GeneralProfile, Profile, ProfilePart

_Space = tuple[str, int]  # encoder and number of dimensions: in one space, embeddings can be compared


def fuse(run: str, profiles: Sequence[Profile]) -> GeneralProfile:
    """The count-weighted mean, normalised to length 1, with its parts (by cluster and platform) and their cosines.

    Args:
        run: whose profiles they are.
        profiles: at least one, each let in by `admission.check`, one a cluster and platform; in any order.

    Raises:
        Refused: the profiles cancel each other out.
    """
    everyone = sorted(profiles, key=lambda profile: (profile.cluster, profile.platform))
    shared = _most_shared(everyone)
    parts = [profile for profile in everyone if _space(profile) == shared]
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
        left_out={
            f"{profile.cluster}/{profile.platform}": f"it is by {_words(_space(profile))}, most clusters' are by {_words(shared)}"
            for profile in everyone
            if _space(profile) != shared
        },
    )


def _most_shared(profiles: Sequence[Profile]) -> _Space:
    """The space of most clusters; of two with as many, the one with more posts, then the first by name."""
    spaces = {_space(profile) for profile in profiles}

    def rank(space: _Space) -> tuple[int, int, _Space]:
        inside = [profile for profile in profiles if _space(profile) == space]
        return -len({profile.cluster for profile in inside}), -sum(profile.posts for profile in inside), space

    return min(spaces, key=rank)


def _space(profile: Profile) -> _Space:
    return profile.encoder, len(profile.embedding)


def _words(space: _Space) -> str:
    encoder, dimensions = space
    return f"encoder {encoder:.12} with {dimensions} dimensions"
