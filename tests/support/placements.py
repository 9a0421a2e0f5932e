"""Seeded worlds for a placement: a hub's fleet, and Placements that are decided in it one after another.

A world is drawn from its seed and number alone, so that one can be looked at again without those before it. Its times are past
or far ahead: it means the same for as long as a test takes.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

from fedspoke.api.base import Object
from fedspoke.placement.fleet import Fleet
from support import build, placement_specs
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
    "cpu": ["4", "4000m", "3.5", "16", "0", "1e1", 8, "250m", "7800m", "63900m", ".5", "5.", "+2", "-1", "12e-1", "1E0", "3u"],
    "memory": ["16Gi", "16384Mi", "8G", "7.5Gi", "1e9", "500M", "0", "33554432Ki", "131072k", "12345678901", "1Ei", "2E", "0.1n"],
}
_VALID_UNTIL = [None, "2020-01-01T00:00:00Z", "2120-01-01T00:00:00Z", "2120-01-01T02:00:00.5+02:00"]
_TIMES_ADDED = ["2020-01-01T00:00:00Z", "2025-06-01T12:00:00.5+02:00", "2120-01-01T00:00:00Z"]


_EMPTY, _UNBOUND = 5, 9
"""Of twenty-four worlds one has no cluster, and in one the namespace of most Placements is bound to no set."""


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
    size = 0 if number % 24 == _EMPTY else draw.choice([2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 12])
    names = draw.sample(_CLUSTER_NAMES, size)  # in no order, as a cache has them
    clusters, scores = _clusters(draw, names)
    sets = [_cluster_set(draw, name) for name in SETS if draw.random() < 0.9]
    bound = {NAMESPACE: 0.0 if number % 24 == _UNBOUND else 0.95, ELSEWHERE: draw.choice([0.5, 0.95, 0.95])}
    bindings = [build.binding(name, place) for place in bound for name in SETS if draw.random() < bound[place]]
    wanted = tuple(
        placement_specs.placement(draw, f"p{n}", draw.choice([NAMESPACE] * 4 + [ELSEWHERE])) for n in range(placements)
    )
    earlier = tuple(_earlier(draw, each, names) for each in wanted if draw.random() < 0.3)
    return World(Fleet(clusters, tuple(sets), tuple(bindings), scores, earlier), wanted)


def everything(seed: int, *wanted: Object) -> World:
    """Every cluster, all in sight."""
    clusters, scores = _clusters(Random(seed), _CLUSTER_NAMES)
    return World(build.fleet(*clusters, scores=scores), wanted)


def crowd(size: int, *wanted: Object) -> World:
    """So many clusters in sight, two of three of which are labelled gold; the last name comes first."""
    clusters = [build.cluster(f"n{n:03}", labels={"tier": "gold"} if n % 3 else None) for n in reversed(range(size))]
    return World(build.fleet(*clusters), wanted)


def _clusters(draw: Random, names: list[str]) -> tuple[tuple[Object, ...], tuple[Object, ...]]:
    """Clusters, and what is reported of them."""
    clusters = tuple(_cluster(draw, name) for name in names)
    return clusters, tuple(_scores(draw, name, resource) for name in names for resource in RESOURCE_SCORES if draw.random() < 0.7)


def _cluster(draw: Random, name: str) -> Object:
    labels = {key: draw.choice(values) for key, values in LABELS.items() if draw.random() < 0.75}
    if draw.random() < 0.8:
        labels["cluster.open-cluster-management.io/clusterset"] = draw.choice(SETS)
    claims = {key: draw.choice(values) for key, values in _CLAIMS.items() if draw.random() < 0.75}
    taints = [_taint(draw) for _ in range(draw.choice([0, 0, 0, 1, 1, 2]))]
    spec: Object = {"hubAcceptsClient": draw.random() < 0.9} | ({"taints": taints} if taints else {})
    cluster = build.cluster(name, labels, claims, **spec)
    if draw.random() < 0.1:
        cluster["status"]["clusterClaims"] += [{"name": "platform", "value": "AWS"}]  # of two that are alike the last holds
    allocatable = {resource: draw.choice(values) for resource, values in _QUANTITIES.items() if draw.random() < 0.8}
    cluster["status"] |= {
        "version": draw.choice([{}, {"kubernetes": "v1.31.2"}, {"kubernetes": "v1.29.0"}]),
        "allocatable": allocatable,
        "capacity": {resource: "1" for resource in allocatable if draw.random() < 0.9},
    }
    if draw.random() < 0.06:
        cluster["metadata"] |= {"deletionTimestamp": "2025-01-01T00:00:00Z", "finalizers": ["example.com/kept"]}
    return cluster


def _taint(draw: Random) -> Object:
    taint = {"key": draw.choice(placement_specs.TAINTS), "effect": draw.choice(placement_specs.EFFECTS)}
    if draw.random() < 0.6:
        taint["value"] = draw.choice(["", "gpu", "eu"])
    if draw.random() < 0.9:
        taint["timeAdded"] = _just_now(draw) if draw.random() < 0.4 else draw.choice(_TIMES_ADDED)
    return taint


def _just_now(draw: Random) -> str:
    return (datetime.now(UTC) - timedelta(seconds=draw.choice([5, 30]))).strftime("%Y-%m-%dT%H:%M:%SZ")


def _cluster_set(draw: Random, name: str) -> Object:
    if name == "global":
        return build.cluster_set(name)
    by_label: Object = draw.choice(
        [{"matchLabels": {"region": "eu"}}, {"matchExpressions": [build.has("gpu", "DoesNotExist")]}, {}]
    )
    found = build.cluster_set(name, **by_label)
    if draw.random() < 0.6:
        found["spec"]["clusterSelector"] = {"selectorType": "ExclusiveClusterSetLabel"}
    elif not by_label:
        del found["spec"]["clusterSelector"]["labelSelector"]  # which takes no cluster, where an empty one takes all
    return found


def _scores(draw: Random, cluster: str, name: str) -> Object:
    values = {score: draw.randint(-100, 100) for score in SCORES if draw.random() < 0.8}
    return build.scores(cluster, name, draw.choice(_VALID_UNTIL), **values)


def _earlier(draw: Random, placement: Object, names: list[str]) -> Object:
    """What a Placement had chosen before it was created again; among it a cluster that has since gone."""
    metadata = placement["metadata"]
    chosen = [name for name in [*names, "gone"] if draw.random() < 0.4]
    decision = build.decided(metadata["name"], *chosen, namespace=metadata["namespace"])
    decision["metadata"]["name"] = f"{metadata['name']}-decision-{draw.choice([1, 1, 2, 7])}"
    if draw.random() < 0.1:  # of another one, whose name is the same
        decision["metadata"]["namespace"] = NAMESPACE if metadata["namespace"] == ELSEWHERE else ELSEWHERE
    return decision
