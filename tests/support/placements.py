"""Seeded worlds for a placement: a hub's fleet, and Placements that are decided in it one after another.

A world is drawn from its seed and number alone, so that one can be looked at again without those before it. All times are
long past or far ahead: a world means the same whenever it is evaluated.
"""

from dataclasses import dataclass
from random import Random
from typing import Any

from fedspoke.api.base import Object
from fedspoke.placement.fleet import PLACEMENT_LABEL, Fleet
from support import placement_specs
from support.placement_specs import LABELS, RESOURCE_SCORES, SCORES, SETS

NAMESPACE, ELSEWHERE = "default", "elsewhere"

_CLUSTER_NAMES = ["a", "a-b", "a0", "b1", "b10", "b2", "c", "d-0", "e", "f9", "g", "h"]
_CLAIMS = {
    "platform": ["GCP", "AWS", "Bare Metal"],
    "posts.example.com": ["0", "7", "40", "1000000", "many"],
    "version.example.com": ["1.29.9", "1.30.0", "v1.31.2+k3s1", "unknown"],
    "facts.example.com": ['{"gpus": 4, "zone": "a"}', '{"gpus": 0}', "[1, 2]", "{"],
}
_QUANTITIES: dict[str, list[str | int]] = {
    "cpu": ["4", "4000m", "3.5", "16", "0", "1e1", 8, "250m", "7800m", "63900m"],
    "memory": ["16Gi", "16384Mi", "8G", "7.5Gi", "1e9", "500M", "0", "33554432Ki", "131072k", "12345678901"],
}
_VALID_UNTIL = [None, "2020-01-01T00:00:00Z", "2120-01-01T00:00:00Z", "2120-01-01T02:00:00.5+02:00"]
_TIMES_ADDED = [None, "2020-01-01T00:00:00Z", "2025-06-01T12:00:00Z", "2120-01-01T00:00:00Z"]


@dataclass(frozen=True, slots=True)
class World:
    """A fleet, and the Placements that are created in it, in this order."""

    fleet: Fleet
    placements: tuple[Object, ...]

    @property
    def namespaces(self) -> set[str]:
        """Those that its objects are in."""
        found = (*self.fleet.bindings, *self.fleet.scores, *self.fleet.decisions, *self.placements)
        return {each["metadata"]["namespace"] for each in found}


def world(seed: int, number: int, placements: int) -> World:
    """The world of that number."""
    draw = Random(f"{seed}/{number}")
    names = sorted(draw.sample(_CLUSTER_NAMES, draw.choice([0, 1, 3, 6, 9, 12])))
    sets = [_cluster_set(draw, name) for name in SETS if draw.random() < 0.8]
    bindings = [_binding(name, place) for place in (NAMESPACE, ELSEWHERE) for name in SETS if draw.random() < 0.7]
    wanted = tuple(
        placement_specs.placement(draw, f"p{n}", draw.choice([NAMESPACE] * 4 + [ELSEWHERE])) for n in range(placements)
    )
    fleet = Fleet(
        clusters=tuple(_cluster(draw, name) for name in names),
        sets=tuple(sets),
        bindings=tuple(bindings),
        scores=tuple(_score(draw, name, resource) for name in names for resource in RESOURCE_SCORES if draw.random() < 0.7),
        decisions=tuple(_earlier(draw, each, names) for each in wanted if draw.random() < 0.3),
    )
    return World(fleet, wanted)


def crowd(size: int, *wanted: Object) -> World:
    """So many clusters that one PlacementDecision does not hold them, all in the global set."""
    clusters = tuple(
        _object("v1", "ManagedCluster", f"n{n:03}", spec={"hubAcceptsClient": True}, labels={"tier": "gold"} if n % 3 else {})
        for n in range(size)
    )
    return World(Fleet(clusters=clusters, sets=(_global(),), bindings=(_binding("global", NAMESPACE),)), wanted)


def placement(name: str, **spec: Any) -> Object:
    """A Placement as a test asks for it."""
    return _object("v1beta1", "Placement", name, namespace=NAMESPACE, spec=spec)


def _cluster(draw: Random, name: str) -> Object:
    labels = {key: draw.choice(values) for key, values in LABELS.items() if draw.random() < 0.6}
    if draw.random() < 0.8:
        labels["cluster.open-cluster-management.io/clusterset"] = draw.choice(SETS)
    allocatable = {resource: draw.choice(values) for resource, values in _QUANTITIES.items() if draw.random() < 0.8}
    status: Object = {
        "conditions": [],
        "clusterClaims": [{"name": key, "value": draw.choice(values)} for key, values in _CLAIMS.items() if draw.random() < 0.6],
        "version": draw.choice([{}, {"kubernetes": "v1.31.2"}, {"kubernetes": "v1.29.0"}]),
        "allocatable": allocatable,
        "capacity": {resource: "1" for resource in allocatable if draw.random() < 0.9},
    }
    taints = [_taint(draw) for _ in range(draw.choice([0, 0, 0, 1, 1, 2]))]
    cluster = _object("v1", "ManagedCluster", name, labels=labels, spec={"hubAcceptsClient": draw.random() < 0.9}, status=status)
    if taints:
        cluster["spec"]["taints"] = taints
    if draw.random() < 0.06:
        cluster["metadata"] |= {"deletionTimestamp": "2025-01-01T00:00:00Z", "finalizers": ["example.com/kept"]}
    return cluster


def _taint(draw: Random) -> Object:
    taint = {"key": draw.choice(placement_specs.TAINTS), "effect": draw.choice(placement_specs.EFFECTS)}
    added = draw.choice(_TIMES_ADDED)
    return taint | _some(draw, value=draw.choice(["", "gpu", "eu"])) | ({"timeAdded": added} if added else {})


def _cluster_set(draw: Random, name: str) -> Object:
    if name == "global":
        return _global()
    selector = draw.choice(
        [
            {"selectorType": "ExclusiveClusterSetLabel"},
            {"selectorType": "ExclusiveClusterSetLabel"},
            {"selectorType": "LabelSelector", "labelSelector": {"matchLabels": {"region": draw.choice(LABELS["region"])}}},
            {
                "selectorType": "LabelSelector",
                "labelSelector": {"matchExpressions": [{"key": "gpu", "operator": "DoesNotExist"}]},
            },
            {"selectorType": "LabelSelector"},
        ]
    )
    return _object("v1beta2", "ManagedClusterSet", name, spec={"clusterSelector": selector})


def _global() -> Object:
    everything = {"selectorType": "LabelSelector", "labelSelector": {}}
    return _object("v1beta2", "ManagedClusterSet", "global", spec={"clusterSelector": everything})


def _binding(name: str, namespace: str) -> Object:
    return _object("v1beta2", "ManagedClusterSetBinding", name, namespace=namespace, spec={"clusterSet": name})


def _score(draw: Random, cluster: str, name: str) -> Object:
    until = draw.choice(_VALID_UNTIL)
    scores = [{"name": score, "value": draw.randint(-100, 100)} for score in SCORES if draw.random() < 0.8]
    status = {"conditions": [], "scores": scores} | ({"validUntil": until} if until else {})
    return _object("v1alpha1", "AddOnPlacementScore", name, namespace=cluster, status=status)


def _earlier(draw: Random, placement: Object, names: list[str]) -> Object:
    """What a Placement had chosen before it was created again; among it clusters that have since gone."""
    metadata = placement["metadata"]
    chosen = [name for name in [*names, "gone"] if draw.random() < 0.4]
    return _object(
        "v1beta1",
        "PlacementDecision",
        f"{metadata['name']}-decision-{draw.choice([1, 1, 2, 7])}",
        namespace=metadata["namespace"],
        labels={PLACEMENT_LABEL: metadata["name"]},
        status={"decisions": [{"clusterName": name, "reason": ""} for name in chosen]},
    )


def _object(
    version: str, kind: str, name: str, *, spec: Object | None = None, status: Object | None = None, **metadata: Any
) -> Object:
    found: Object = {"apiVersion": f"cluster.open-cluster-management.io/{version}", "kind": kind}
    found["metadata"] = {"name": name} | metadata
    return found | ({} if spec is None else {"spec": spec}) | ({} if status is None else {"status": status})


def _some(draw: Random, **fields: Any) -> Object:
    """Each of the fields, or not."""
    return {name: value for name, value in fields.items() if draw.random() < 0.6}
