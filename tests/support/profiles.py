"""Profiles for tests, each built from only what its test is about."""

from collections.abc import Iterable, Mapping
from typing import Any

from fedspoke.api.names import Platform
from fedspoke.api.profiles import GeneralProfile, Noise, Profile, ProfilePart
from fedspoke.api.topics import NAMES, OTHER


def profile(cluster: str = "cluster1", platform: Platform = "facebook", **fields: Any) -> Profile:
    """Ten posts about nothing in particular whose mean is (1, 0), without noise."""
    usual = {
        "posts": 10,
        "first": None,
        "last": None,
        "encoder": "a" * 64,
        "embedding": (1.0, 0.0),
        "topics": counted(fields.get("posts", 10)),
        "noise": None,
    }
    return Profile(cluster=cluster, platform=platform, **(usual | fields))


def counted(posts: int, topics: Mapping[str, int] = {}) -> dict[str, int]:
    """So many posts of these topics; the rest is about nothing in particular."""
    return {**dict.fromkeys(NAMES, 0), OTHER: posts - sum(topics.values()), **topics}


def noised(**fields: Any) -> Noise:
    """Noise of a first release."""
    usual = {"epsilon": 8, "delta": 1e-5, "sigma": 0.1}
    return Noise(**({"spent_epsilon": fields.get("epsilon", 8)} | usual | fields))


def general(clusters: Iterable[str], **fields: Any) -> GeneralProfile:
    """A general profile with a part of each of these clusters, all alike."""
    parts = tuple(ProfilePart(cluster=name, platform="facebook", posts=10, weight=1.0, noise=None) for name in clusters)
    usual = {"run": "test.run", "embedding": (1.0, 0.0), "encoder": "a" * 64, "posts": 10 * len(parts), "cosines": ()}
    return GeneralProfile(parts=parts, **(usual | fields))
