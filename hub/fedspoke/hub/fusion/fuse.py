"""Many platforms' profiles on many clusters become one: the mean of all posts' embeddings, as far as they may be known, of what
they are about, and what of it the platforms share.

Each profile is already a mean over its posts, so weighting it by its count gives what the mean over all posts would be.
Embeddings of two encoders have no mean: the encoder of most clusters decides, and the profiles of another are left out and
named, so that no single cluster can keep the others' out. The same holds for vision towers.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from fedspoke.api.errors import Refused
from fedspoke.api.profiles import GeneralProfile, GeneralVisual, Profile, ProfilePart
from fedspoke.hub.fusion.compare import compare
from fedspoke.hub.fusion.shares import by_topic

_Space = tuple[str, int]  # encoder or tower, and number of dimensions: in one space, embeddings can be compared


def fuse(run: str, profiles: Sequence[Profile]) -> GeneralProfile:
    """The count-weighted mean, normalised to length 1, with its parts (by cluster and platform) and their cosines.

    Args:
        run: whose profiles they are.
        profiles: at least one, each let in by `admission.check`, one a cluster and platform; in any order.

    Raises:
        Refused: the profiles cancel each other out.
    """
    everyone = sorted(profiles, key=lambda profile: (profile.cluster, profile.platform))
    spaces = {_name(profile): (profile.encoder, len(profile.embedding)) for profile in everyone}
    shared = _most_shared(everyone, spaces)
    parts = [profile for profile in everyone if spaces[_name(profile)] == shared]
    embeddings = np.array([part.embedding for part in parts])  # fp64; one row a part
    weights = _weights(parts)
    directions = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    cosines = np.clip(directions @ directions.T, -1, 1)
    np.fill_diagonal(cosines, 1)
    mean = _direction(embeddings, weights)
    if mean is None:
        raise Refused("the profiles cancel each other out: their mean has no direction")
    visual = _visual(parts)
    topics = by_topic(parts)
    return GeneralProfile(
        run=run,
        embedding=mean,
        encoder=parts[0].encoder,
        posts=sum(part.posts for part in parts),
        parts=tuple(
            ProfilePart(cluster=part.cluster, platform=part.platform, posts=part.posts, weight=weight, noise=part.noise)
            for part, weight in zip(parts, weights.tolist(), strict=True)
        ),
        cosines=tuple(map(tuple, cosines.tolist())),
        visual=visual,
        topics=topics,
        comparisons=compare(parts, topics, visual),
        left_out=_left_out(spaces, shared, "encoder"),
    )


def _visual(parts: Sequence[Profile]) -> GeneralVisual | None:
    """The mean over the parts that have a visual embedding by the tower of most clusters."""
    seeing = [part for part in parts if part.visual]
    spaces = {_name(part): (part.visual.tower, len(part.visual.embedding)) for part in seeing if part.visual}
    if not spaces:
        return None
    shared = _most_shared(seeing, spaces)
    same = [part for part in seeing if spaces[_name(part)] == shared]
    mean = _direction(np.array([part.visual.embedding for part in same if part.visual]), _weights(same))
    if mean is None:  # the texts are still worth having
        return None
    blind = {_name(part): "too few of its posts have a photo" for part in parts if not part.visual}
    return GeneralVisual(
        embedding=mean,
        tower=shared[0],
        parts=tuple(map(_name, same)),
        left_out=blind | _left_out(spaces, shared, "vision tower"),
    )


def _weights(parts: Sequence[Profile]) -> NDArray[np.float64]:
    return np.array([part.posts for part in parts]) / sum(part.posts for part in parts)


def _direction(embeddings: NDArray[np.float64], weights: NDArray[np.float64]) -> tuple[float, ...] | None:
    """A profile's own length is kept until here: posts that agree give a longer mean, and so weigh more."""
    mean = weights @ embeddings
    length = np.linalg.norm(mean)
    return tuple((mean / length).tolist()) if length else None


def _most_shared(profiles: Sequence[Profile], spaces: Mapping[str, _Space]) -> _Space:
    """The space of most clusters; of two with as many, the one with more posts, then the first by name."""

    def rank(space: _Space) -> tuple[int, int, _Space]:
        inside = [profile for profile in profiles if spaces[_name(profile)] == space]
        return -len({profile.cluster for profile in inside}), -sum(profile.posts for profile in inside), space

    return min(set(spaces.values()), key=rank)


def _left_out(spaces: Mapping[str, _Space], shared: _Space, kind: str) -> dict[str, str]:
    return {
        name: f"it is by {_words(space, kind)}, most clusters' are by {_words(shared, kind)}"
        for name, space in spaces.items()
        if space != shared
    }


def _name(profile: Profile) -> str:
    return f"{profile.cluster}/{profile.platform}"


def _words(space: _Space, kind: str) -> str:
    digest, dimensions = space
    return f"{kind} {digest:.12} with {dimensions} dimensions"
