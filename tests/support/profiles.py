"""Profiles for tests, each built from only what its test is about."""

from collections.abc import Iterable
from typing import Any

from fedspoke.api.names import Platform
from fedspoke.api.records import GeneralProfile, Profile, ProfilePart


def profile(cluster: str = "cluster1", platform: Platform = "facebook", **fields: Any) -> Profile:
    """Ten posts whose mean is (1, 0), without noise."""
    usual = {
        "posts": 10,
        "first": None,
        "last": None,
        "encoder": "a" * 64,
        "embedding": (1.0, 0.0),
        "noise": None,
        "loss_before": 2.0,
        "loss_after": 1.0,
    }
    return Profile(cluster=cluster, platform=platform, **(usual | fields))


def general(clusters: Iterable[str], **fields: Any) -> GeneralProfile:
    """A general profile with a part of each of these clusters, all alike."""
    parts = tuple(ProfilePart(cluster=name, platform="facebook", posts=10, weight=1.0, noise=None) for name in clusters)
    usual = {"run": "test.run", "embedding": (1.0, 0.0), "encoder": "a" * 64, "posts": 10 * len(parts), "cosines": ()}
    return GeneralProfile(parts=parts, **(usual | fields))
