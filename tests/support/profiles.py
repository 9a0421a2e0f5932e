"""Profiles for tests, each built from only what its test is about."""

from typing import Any

from fedspoke.api.names import Platform
from fedspoke.api.records import Profile


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
