"""How a decision is written down: groups of clusters, and PlacementDecisions of at most 100 clusters each.

An order of rollout lives in these groups. Named groups come first and take what their selector matches of what is left;
everything else follows in groups without a name.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fedspoke.api.base import Object
from fedspoke.api.placement_spec import GroupClusterSelector, PlacementSpec
from fedspoke.placement import declared, labels
from fedspoke.placement.misconfigured import Misconfigured
from fedspoke.placement.predicates import Selector

_AT_MOST = 100
"""Clusters in one PlacementDecision."""


@dataclass(frozen=True, slots=True)
class Group:
    """One decision group. `objects` are its PlacementDecisions: the name of each and its clusters, in their order."""

    index: int
    name: str
    objects: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def clusters(self) -> tuple[str, ...]:
        """All clusters of the group."""
        return tuple(cluster for _, clusters in self.objects for cluster in clusters)

    def as_json(self) -> Object:
        """As it is in a Placement's status, with the clusters of each PlacementDecision."""
        return {
            "decisionGroupIndex": self.index,
            "decisionGroupName": self.name,
            "clusterCount": len(self.clusters),
            "decisions": [{"name": name, "clusters": list(clusters)} for name, clusters in self.objects],
        }


@dataclass(frozen=True, slots=True)
class Division:
    """The groups that OCM writes; all before the first that is misconfigured, where one is."""

    groups: tuple[Group, ...]
    problem: Misconfigured | None = None


def divide(placement: str, spec: PlacementSpec, chosen: Sequence[Object], scores: Mapping[str, int]) -> Division:
    """The groups of the chosen clusters, for the Placement of that name. There is always one, be it empty."""
    strategy = spec.decision_strategy.group_strategy
    parts: list[tuple[str, list[str]]] = []
    try:
        size = _size(strategy.clusters_per_decision_group, len(chosen))
        left = list(chosen)
        for group in strategy.decision_groups:
            selector = _selector(group.group_cluster_selector)
            matched = [cluster for cluster in left if selector.matches(cluster)]
            left = [cluster for cluster in left if not selector.matches(cluster)]
            parts += [(group.group_name, part) for part in _parts(matched, size, spec, scores)]
    except Misconfigured as problem:
        return Division(_written(placement, parts), problem)
    parts += [("", part) for part in _parts(left, size, spec, scores)]
    return Division(_written(placement, parts or [("", [])]))


def _size(asked: str | int, chosen: int) -> int:
    """Clusters of one group; a percentage is of the chosen ones, rounded up."""
    if isinstance(asked, str) and not asked.endswith("%"):
        raise Misconfigured("", f"{asked} invalid type: string is not a percentage", f"write {asked} without quotes")
    size = math.ceil(float(asked[:-1]) / 100 * chosen) if isinstance(asked, str) else asked
    return size if 0 < size <= chosen else chosen


def _parts(clusters: Sequence[Object], size: int, spec: PlacementSpec, scores: Mapping[str, int]) -> list[list[str]]:
    names = sorted(declared.name(cluster) for cluster in clusters)
    if spec.sort_by == "Score":
        names.sort(key=lambda name: -scores[name])  # stable: of equal scores the first names come first
    return [names[start : start + size] for start in range(0, len(names), size)] if names else []


def _written(placement: str, parts: Sequence[tuple[str, list[str]]]) -> tuple[Group, ...]:
    """Each part with its PlacementDecisions, which are counted through all groups, from 1."""
    groups: list[Group] = []
    count = 0
    for index, (name, clusters) in enumerate(parts):
        slices = [clusters[start : start + _AT_MOST] for start in range(0, max(len(clusters), 1), _AT_MOST)]
        objects = tuple((f"{placement}-decision-{count + n}", tuple(some)) for n, some in enumerate(slices, 1))
        groups.append(Group(index, name, objects))
        count += len(objects)
    return tuple(groups)


def _selector(asked: GroupClusterSelector) -> Selector:
    try:
        return Selector(asked)
    except labels.Invalid as invalid:
        raise Misconfigured("", str(invalid), invalid.right) from None
