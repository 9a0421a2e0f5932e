"""Which profiles are let in: those that the CR asks for, with an embedding that a mean of unit-length ones can be.

Nobody at the hub sees the posts, so a cluster's word on their number is believed, within bounds. What follows from that
number is not: how much noise there must be, and how long an embedding can then be at most.
"""

import math

from fedspoke.api.errors import Refused
from fedspoke.api.noise import sigma
from fedspoke.api.records import Noise, Profile
from fedspoke.api.training import Profiles

_POSTS = 10**7  # more than any platform lets one account publish
_DIMENSIONS = 8192  # text encoders have 384 to 4096
_DEVIATIONS = 6  # the length of Gaussian noise exceeds sigma · (√dimensions + t) with probability exp(-t² / 2) at most: 2e-8
_ROUNDING = 1e-4  # encoders compute in fp32 or less


def check(profile: Profile, spec: Profiles) -> None:
    """Says nothing when the profile is what `spec` asks for.

    Raises:
        Refused: it is not; the sentence names the profile, the field, its value and what would be right.
    """
    which = f"the {profile.platform} profile of {profile.cluster}"
    if not spec.enabled:
        raise Refused(f"{which} is not asked for: spec.profiles.enabled is false")
    if not spec.min_posts <= profile.posts <= _POSTS:
        least = f"{spec.min_posts} (spec.profiles.minPosts)"
        raise Refused(f"{which} has posts {profile.posts!s:.30}; between {least} and {_POSTS} would be right")
    asked = _noise(profile.posts, spec)
    if not _alike(profile.noise, asked):
        said, right = _words(profile.noise), _words(asked)
        raise Refused(f"{which} has noise {said}; {right} is what spec.profiles asks for with {profile.posts} posts")
    dimensions = len(profile.embedding)
    if not 1 <= dimensions <= _DIMENSIONS:
        raise Refused(f"{which} has an embedding of {dimensions} dimensions; between 1 and {_DIMENSIONS} would be right")
    longest = 1 + _ROUNDING + (asked.sigma * (math.sqrt(dimensions) + _DEVIATIONS) if asked else 0)
    if not 0 < (length := math.hypot(*profile.embedding)) <= longest:  # false for NaN, too
        most = f"{longest:.4g}, since a mean of unit-length embeddings has at most 1 and only noise adds to it,"
        raise Refused(f"{which} has an embedding of length {length:g}; over 0 and at most {most} would be right")
    for field, loss in (("lossBefore", profile.loss_before), ("lossAfter", profile.loss_after)):
        if not math.isfinite(loss):
            raise Refused(f"{which} has {field} {loss}; a finite number would be right")


def _noise(posts: int, spec: Profiles) -> Noise | None:
    if spec.epsilon is None:
        return None
    # Replacing one post moves a mean of n unit vectors by at most 2 / n.
    return Noise(epsilon=spec.epsilon, delta=spec.delta, sigma=sigma(spec.epsilon, spec.delta, 2 / posts))


def _alike(given: Noise | None, asked: Noise | None) -> bool:
    if given is None or asked is None:
        return given is asked
    same = (given.epsilon, given.delta) == (asked.epsilon, asked.delta)
    return same and math.isclose(given.sigma, asked.sigma, rel_tol=1e-6)  # libraries differ in the last digits of erfc


def _words(noise: Noise | None) -> str:
    return f"of epsilon {noise.epsilon:g}, delta {noise.delta:g} and sigma {noise.sigma:.4g}" if noise else "null"
