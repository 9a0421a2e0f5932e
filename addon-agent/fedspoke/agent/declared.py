"""What a cluster says of itself: claims, by which a federation chooses it, and scores, which rank it among those that qualify.

A claim holds a count, a path that every collaborator has, or a model's name from a node's label: nothing that an owner wrote.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from fedspoke.agent.datasets import Counts
from fedspoke.agent.gpus import Gpus
from fedspoke.agent.offers import Offer
from fedspoke.api.base import Object
from fedspoke.api.names import (
    ADDON,
    CLAIMS,
    GPU_MODEL_CLAIM,
    GPUS_CLAIM,
    OURS,
    PLATFORMS,
    Platform,
    data_claim,
    posts_claim,
)

VALID = timedelta(minutes=3)
"""How long a score counts: it is renewed each minute, and OCM takes one that has run out for 0."""

_CLAIM = "cluster.open-cluster-management.io/v1alpha1"
_LONGEST = 1024  # of a claim's value
_MODEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")  # as a label's value has to be
_LEAST, _MOST = -100, 100
_GPU = 10  # as OCM's resource-usage-collect-addon counts: none are -100, twenty are 100
_DECADE = 40  # five of them, from a post to a hundred thousand, are all of the scale


@dataclass(frozen=True, slots=True)
class Difference:
    """What is to be done about the claims that are there."""

    apply: list[Object]
    delete: list[Object]


def claims(data: Mapping[Platform, tuple[Offer, Counts]], gpus: Gpus) -> dict[str, str]:
    """Name → value; what a cluster has not is not claimed."""
    found: dict[str, str] = {}
    for platform, (_, counts) in data.items():
        found |= {data_claim(platform): f"/data/{platform}", posts_claim(platform): str(counts.posts)}
    if gpus.total:
        found[GPUS_CLAIM] = str(gpus.total)
        if models := _models(gpus.models):
            found[GPU_MODEL_CLAIM] = models
    return found


def difference(wanted: Mapping[str, str], there: Sequence[Object], owner: Object) -> Difference:
    """Bring the claims nearer to what they should be. One that somebody else has written is theirs, and stays.

    Args:
        wanted: name → value.
        there: the ClusterClaims of the cluster.
        owner: with which they go, when the add-on does.
    """
    ours = {it["metadata"]["name"]: it for it in there if OURS.items() <= (it["metadata"].get("labels") or {}).items()}
    others = {it["metadata"]["name"] for it in there} - ours.keys()
    changed = [
        name
        for name, value in wanted.items()
        if name not in others and (name not in ours or ours[name]["spec"].get("value") != value)
    ]
    return Difference(
        apply=[_claim(name, wanted[name], owner) for name in changed],
        delete=[it for name, it in ours.items() if name in CLAIMS and name not in wanted],
    )


def score(data: Mapping[Platform, tuple[Offer, Counts]], gpus: Gpus) -> dict[str, int]:
    """Name → how well the cluster does, between -100 and 100: more is never less."""
    posts = {platform: data[platform][1].posts if platform in data else 0 for platform in PLATFORMS}
    return {"gpusFree": _bounded(_LEAST + _GPU * gpus.unused)} | {
        f"{platform}Posts": _bounded(_LEAST + int(_DECADE * math.log10(1 + count))) for platform, count in posts.items()
    }


def placement_score(cluster: str) -> Object:
    """The AddOnPlacementScore in the cluster's namespace, made with the agent's rights; its numbers are its status."""
    return {"apiVersion": _CLAIM, "kind": "AddOnPlacementScore", "metadata": {"name": ADDON, "namespace": cluster}}


def placement_status(values: Mapping[str, int], now: datetime) -> Object:
    """Of that score."""
    until = f"{now + VALID:%Y-%m-%dT%H:%M:%SZ}"
    return {"scores": [{"name": name, "value": value} for name, value in values.items()], "validUntil": until}


def _claim(name: str, value: str, owner: Object) -> Object:
    return {
        "apiVersion": _CLAIM,
        "kind": "ClusterClaim",
        "metadata": {"name": name, "labels": OURS, "ownerReferences": [owner]},
        "spec": {"value": value},
    }


def _models(models: Sequence[str]) -> str:
    """As many as a claim holds; a name of another form is no label's."""
    known = [it for it in models if _MODEL.fullmatch(it)]
    while len(text := ",".join(known)) > _LONGEST:
        known.pop()
    return text


def _bounded(value: int) -> int:
    return max(_LEAST, min(_MOST, value))
