"""Which profiles are let in: those that the CR asks for, with embeddings that means of unit-length ones can be, and counts that
posts can have.

Nobody at the hub sees the posts, so a cluster's word on their number is believed, within bounds, and on what it spent earlier.
What follows from that number is not: how much noise there must be, how long an embedding and how large a count can be at most.
"""

import math
from collections.abc import Mapping, Sequence

from fedspoke.api import profile_noise
from fedspoke.api.errors import Refused
from fedspoke.api.profiles import Noise, Profile
from fedspoke.api.topics import NAMES
from fedspoke.api.training import Profiles

_POSTS = 10**7  # more than any platform lets one account publish
_DIMENSIONS = 8192  # text encoders have 384 to 4096, vision towers 768 to 1664
_RELEASES = 10**6
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
    _check_parts(which, profile, spec)
    asked = profile_noise.noise(spec, profile.posts, visual=profile.visual is not None)
    _check_noise(which, profile, asked)
    _check_length(f"{which} has an embedding", profile.embedding, asked.sigma if asked else 0)
    if profile.visual:
        _check_length(f"{which} has a visual embedding", profile.visual.embedding, (asked and asked.visual_sigma) or 0)
    if profile.topics is not None:
        _check_counts(f"{which} has topics", profile.topics, profile.posts, (asked and asked.topics_sigma) or 0)


def _check_parts(which: str, profile: Profile, spec: Profiles) -> None:
    if profile.visual and not spec.visual:  # the other way round it had too few photos
        raise Refused(f"{which} has a visual embedding; none would be right, since spec.profiles.visual is false")
    if (profile.topics is not None) != spec.topics:
        raise Refused(f"{which} has {'no ' if spec.topics else ''}topics, and spec.profiles.topics is {str(spec.topics).lower()}")


def _check_length(what: str, embedding: Sequence[float], sigma: float) -> None:
    dimensions = len(embedding)
    if not 1 <= dimensions <= _DIMENSIONS:
        raise Refused(f"{what} of {dimensions} dimensions; between 1 and {_DIMENSIONS} would be right")
    longest = 1 + _ROUNDING + sigma * (math.sqrt(dimensions) + _DEVIATIONS)
    if not 0 < (length := math.hypot(*embedding)) <= longest:  # false for NaN, too
        most = f"{longest:.4g}, since a mean of unit-length embeddings has at most 1 and only noise adds to it,"
        raise Refused(f"{what} of length {length:g}; over 0 and at most {most} would be right")


def _check_counts(what: str, counts: Mapping[str, int], posts: int, sigma: float) -> None:
    """Each post has one topic, so the counts add up to the posts, but for the noise and its rounding."""
    if wrong := counts.keys() ^ set(NAMES):
        name = min(wrong)
        raise Refused(
            f"{what} {'with' if name in counts else 'without'} {name!r:.60}; a count each of {', '.join(NAMES)} would be right"
        )
    noise = sigma * _DEVIATIONS * math.sqrt(len(counts)) + (len(counts) / 2 if sigma else 0)
    if not posts - noise <= (total := sum(counts.values())) <= posts + noise:
        between = f"between {posts - noise:.0f} and {posts + noise:.0f}"
        raise Refused(f"{what} of {total} posts together; {between} would be right with {posts} posts")


def _check_noise(which: str, profile: Profile, asked: Noise | None) -> None:
    """One release spends what the CR asks for; several spend more, or no one can say how much."""
    if not _alike(profile.noise, asked):
        said, right = _words(profile.noise), _words(asked)
        raise Refused(f"{which} has noise {said}; {right} is what spec.profiles asks for with {profile.posts} posts")
    if profile.noise:
        releases, spent, least = profile.noise.releases, profile.noise.spent_epsilon, profile.noise.epsilon
        if not 1 <= releases <= _RELEASES:
            raise Refused(f"{which} has releases {releases}; between 1 and {_RELEASES} would be right")
        if releases == 1 and spent != least:
            raise Refused(f"{which} has spentEpsilon {spent}; {least:g} would be right for one release")
        if spent is not None and not least <= spent < math.inf:
            raise Refused(f"{which} has spentEpsilon {spent}; at least {least:g}, or null for no bound, would be right")


def _alike(given: Noise | None, asked: Noise | None) -> bool:
    if given is None or asked is None:
        return given is asked
    same = (given.epsilon, given.delta) == (asked.epsilon, asked.delta)
    pairs = ((given.sigma, asked.sigma), (given.visual_sigma, asked.visual_sigma), (given.topics_sigma, asked.topics_sigma))
    return same and all(_close(one, other) for one, other in pairs)


def _close(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=1e-6)  # libraries differ in the last digits of erfc


def _words(noise: Noise | None) -> str:
    if noise is None:
        return "null"
    parts = {"sigma": noise.sigma, "visualSigma": noise.visual_sigma, "topicsSigma": noise.topics_sigma}
    sigmas = " and ".join(f"{name} {value:.4g}" for name, value in parts.items() if value is not None)
    return f"of epsilon {noise.epsilon:g}, delta {noise.delta:g}, {sigmas}"
