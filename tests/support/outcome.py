"""A finished federation of two clusters in three rounds, as its OUT folder holds it; a test states only what differs."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from fedspoke.api.names import API_VERSION, KIND
from fedspoke.api.profiles import GeneralProfile, Noise, Profile, ProfilePart
from fedspoke.api.records import ClusterRound, HeldOut, RoundRecord
from support.profiles import noised

DIGEST = "ab" * 32
ENCODER = "cd" * 32
LOSSES = {
    1: {"cluster1": 5.4321, "cluster2": 5.1234},
    2: {"cluster1": 4.3217, "cluster2": 4.0981},
    3: {"cluster1": 3.6543, "cluster2": 3.4567},
}
NOISE = noised(sigma=0.0125)
REJECTED = "no claim facebook.data or instagram.data, and no such label"


def condition(kind: str, status: str, reason: str, message: str) -> dict[str, Any]:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": "2026-11-21T07:30:41Z",
        "observedGeneration": 1,
    }


def cr(**status: Any) -> dict[str, Any]:
    """The resource with the status of a completed run, but for the fields that are given."""
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": "photos", "namespace": "social"},
        "spec": {"server": {"rounds": 3, "minAvailableClients": 2}, "client": {"data": {"platforms": ["facebook", "instagram"]}}},
        "status": {
            "phase": "Completed",
            "message": "3 rounds of 2 clusters are done; the model and the general profile are saved",
            "startTime": "2026-11-21T07:30:00Z",
            "completionTime": "2026-11-21T07:30:41Z",
            "rounds": {"completed": 3, "total": 3},
            "clusters": [
                {"name": "cluster1", "platform": "facebook", "phase": "Finished", "posts": 48, "lastRound": 3, "loss": 3.6543},
                {"name": "cluster2", "platform": "instagram", "phase": "Finished", "posts": 36, "lastRound": 3, "loss": 3.4567},
            ],
            "conditions": [
                condition("PlacementSatisfied", "True", "Chosen", "2 of 3 clusters qualify"),
                condition("Training", "False", "Finished", "all rounds are done"),
                condition("ProfilesFused", "True", "Fused", "2 profiles make the general one"),
            ],
            "model": {"uri": "global", "digest": DIGEST},
            "profile": {"uri": "general_profile.json", "digest": ENCODER},
            **status,
        },
    }


def rounds(
    losses: Mapping[int, Mapping[str, float]] = LOSSES,
    refused: Mapping[int, Mapping[str, str]] = {},
    held_out: Mapping[int, tuple[float, float]] = {},
) -> list[RoundRecord]:
    """`held_out`: round → the loss before and after it on one post of each cluster."""
    return [
        RoundRecord(
            round=number,
            digest=DIGEST,
            loss=sum(of.values()) / len(of),
            seconds=4.5,
            clusters={
                name: ClusterRound(
                    loss=loss,
                    examples=40,
                    seconds=3.25,
                    bytes_in=1_310_720,
                    bytes_out=1_048_576,
                    held_out=_measured(*held_out[number]) if number in held_out else None,
                )
                for name, loss in of.items()
            },
            refused=dict(refused.get(number, {})),
        )
        for number, of in losses.items()
    ]


def _measured(before: float, after: float) -> HeldOut:
    return HeldOut(posts=1, before=before, after=after)


def placement() -> dict[str, Any]:
    return {
        "decisions": [{"clusterName": "cluster1", "score": 100}, {"clusterName": "cluster2", "score": 75}],
        "rejected": [{"clusterName": "cluster3", "reason": REJECTED}],
    }


def profile(cluster: str, platform: Any, noise: Noise | None = NOISE) -> Profile:
    return Profile(
        cluster=cluster,
        platform=platform,
        posts=48 if cluster == "cluster1" else 36,
        first=datetime(2021, 5, 1, tzinfo=UTC),
        last=datetime(2024, 9, 30, tzinfo=UTC),
        encoder=ENCODER,
        embedding=(0.5,) * 384,
        noise=noise,
    )


def profiles(noise: Noise | None = NOISE) -> list[Profile]:
    return [profile("cluster1", "facebook", noise), profile("cluster2", "instagram", noise)]


def general(noise: Noise | None = NOISE) -> GeneralProfile:
    return GeneralProfile(
        run="social.photos",
        embedding=(0.05,) * 384,
        encoder=ENCODER,
        posts=84,
        parts=(
            ProfilePart(cluster="cluster1", platform="facebook", posts=48, weight=48 / 84, noise=noise),
            ProfilePart(cluster="cluster2", platform="instagram", posts=36, weight=36 / 84, noise=noise),
        ),
        cosines=((1.0, 0.7312), (0.7312, 1.0)),
    )


def write(
    out: Path,
    resource: Mapping[str, Any] | None = None,
    records: Sequence[RoundRecord] | None = None,
    shared: Sequence[Profile] | None = None,
) -> Path:
    """The OUT folder on disk: the completed run's files, but for those that are given."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "federatedlearning.yaml").write_text(yaml.safe_dump(dict(resource or cr()), sort_keys=False, allow_unicode=True))
    (out / "rounds.jsonl").write_text(
        "".join(record.model_dump_json(by_alias=True) + "\n" for record in (rounds() if records is None else records))
    )
    (out / "placement.json").write_text(json.dumps(placement()))
    (out / "general_profile.json").write_text(general().model_dump_json(by_alias=True))
    for one in profiles() if shared is None else shared:
        folder = out / "clusters" / one.cluster
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "profile.json").write_text(one.model_dump_json(by_alias=True))
    return out
