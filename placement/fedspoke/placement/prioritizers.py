"""Which of the clusters that qualify are better: OCM's prioritizers, each of which gives a cluster -100 to 100.

A cluster's total is the sum of weight × score. The arithmetic is OCM's to the last bit, cutting of fractions included.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from fedspoke.api.base import Object
from fedspoke.api.placement_spec import AddOnScore, PrioritizerPolicy, ScoreCoordinate
from fedspoke.placement import declared
from fedspoke.placement.fleet import Moment
from fedspoke.placement.misconfigured import Misconfigured
from fedspoke.placement.quantity import approximate

_MOST = 100
_DEFAULTS = ("Balance", "Steady")
"""Of weight 1 where the mode is Additive and nothing else is said of them."""
_RESOURCES = {"ResourceAllocatableCPU": "cpu", "ResourceAllocatableMemory": "memory"}


@dataclass(frozen=True, slots=True)
class Prioritizer:
    """One source of scores, and what they are multiplied by; `addon` is there if an add-on reports them."""

    name: str
    weight: int
    addon: AddOnScore | None = None


@dataclass(frozen=True, slots=True)
class Prioritized:
    """What one prioritizer says. A cluster that it has no score for gets nothing from it.

    `remarks` tells of a cluster why its score is not what was reported of it.
    """

    name: str
    weight: int
    scores: Mapping[str, int]
    remarks: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> Object:
        """As OCM's debug server shows it, with the remarks."""
        return {"name": self.name, "weight": self.weight, "scores": dict(self.scores), "remarks": dict(self.remarks)}


def prioritizers(policy: PrioritizerPolicy) -> list[Prioritizer]:
    """Those of a weight other than 0, the defaults first.

    Raises:
        Misconfigured: the mode or one of them is unknown, or an AddOn prioritizer names no score.
    """
    if policy.mode not in ("Additive", "Exact", ""):
        raise Misconfigured("", f"incorrect prioritizer policy mode: {policy.mode}", "write Additive or Exact")
    weights: dict[Hashable, tuple[ScoreCoordinate, int]] = {}
    if policy.mode != "Exact":
        weights = {("BuiltIn", name, None): (ScoreCoordinate(built_in=name), 1) for name in _DEFAULTS}
    for index, configured in enumerate(policy.configurations):
        coordinate = configured.score_coordinate
        # In OCM the key of this map holds a pointer to addOn: naming a score twice makes two prioritizers, naming a
        # built-in one twice makes one with the last weight.
        addon = None if coordinate.add_on is None else index
        weights[coordinate.type, coordinate.built_in or "", addon] = coordinate, configured.weight
    return [_prioritizer(coordinate, weight) for coordinate, weight in weights.values() if weight]


def prioritize(by: Prioritizer, clusters: Sequence[Object], moment: Moment) -> Prioritized:
    """What a prioritizer says of the clusters that qualify."""
    if by.addon:
        return _reported(by, by.addon, clusters, moment)
    if by.name == "Balance":
        scores = _balance(clusters, moment.elsewhere)
    elif by.name == "Steady":
        scores = {name: _MOST if name in moment.chosen else 0 for name in map(declared.name, clusters)}
    else:
        scores = _allocatable(clusters, _RESOURCES[by.name])
    return Prioritized(by.name, by.weight, scores)


def _prioritizer(coordinate: ScoreCoordinate, weight: int) -> Prioritizer:
    of, name = coordinate.add_on, coordinate.built_in or ""
    if coordinate.type == "AddOn":
        if of is None:
            raise Misconfigured("", "addOn should not be empty", "name its resourceName and scoreName")
        return Prioritizer(f"AddOn/{of.resource_name}/{of.score_name}", weight, of)
    if name not in (*_DEFAULTS, *_RESOURCES):
        known = ", ".join((*_DEFAULTS, *_RESOURCES))
        raise Misconfigured("", f"incorrect builtin prioritizer: {name}", f"OCM has {known}")
    return Prioritizer(name, weight)


def _balance(clusters: Sequence[Object], elsewhere: Mapping[str, int]) -> dict[str, int]:
    """The more often other Placements have chosen a cluster, the worse, in proportion to the one that is chosen most."""
    most = max(elsewhere.values(), default=0)
    return {
        name: 2 * int(_MOST * (0.5 - elsewhere[name] / most)) if name in elsewhere else _MOST
        for name in map(declared.name, clusters)
    }


def _allocatable(clusters: Sequence[Object], resource: str) -> dict[str, int]:
    """From the least allocatable (-100) to the most (100); 100 where all have the same."""
    amounts = {}
    for cluster in clusters:
        status = cluster.get("status") or {}
        allocatable = (status.get("allocatable") or {}).get(resource)
        if allocatable is not None and (status.get("capacity") or {}).get(resource) is not None:
            amounts[declared.name(cluster)] = approximate(allocatable)
    least, most = min(amounts.values(), default=0.0), max(amounts.values(), default=0.0)
    if least == most:
        return dict.fromkeys(amounts, _MOST)
    return {name: int(((amount - least) / (most - least) - 0.5) * 2.0 * 100.0) for name, amount in amounts.items()}


def _reported(by: Prioritizer, of: AddOnScore, clusters: Sequence[Object], moment: Moment) -> Prioritized:
    """As the add-on reports it; 0 where it reports none, or one that is no longer valid."""
    scores, remarks = {}, {}
    for name in map(declared.name, clusters):
        scores[name] = 0
        status = (moment.reported.get((name, of.resource_name)) or {}).get("status") or {}
        until = status.get("validUntil")
        found = [score["value"] for score in status.get("scores") or [] if score["name"] == of.score_name]
        if until and moment.now > datetime.fromisoformat(until):
            remarks[name] = f"expired at {until}"
        elif found:
            scores[name] = found[-1]
        else:
            remarks[name] = "not reported"
    return Prioritized(by.name, by.weight, scores, remarks)
