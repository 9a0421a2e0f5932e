"""Which of the clusters in sight qualify, and which of those are better: OCM's scheduler, from predicates to scores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from fedspoke.api.base import Object
from fedspoke.api.placement_spec import PlacementSpec
from fedspoke.placement import declared, taints
from fedspoke.placement.fleet import Moment
from fedspoke.placement.memory import Memory
from fedspoke.placement.predicates import Predicates
from fedspoke.placement.prioritizers import Prioritized, prioritize, prioritizers
from fedspoke.placement.reasons import why_not


@dataclass(frozen=True, slots=True)
class Ranking:
    """The clusters that qualify, best first, with their scores; and of every other one by name why it does not."""

    best: Sequence[Object] = ()
    totals: Mapping[str, int] = field(default_factory=dict)
    prioritizers: tuple[Prioritized, ...] = ()
    out: dict[str, str] = field(default_factory=dict)
    until: Mapping[str, datetime] = field(default_factory=dict)
    """When the toleration of a taint will end by which a cluster qualifies; without those that never end."""


def rank(spec: PlacementSpec, clusters: Sequence[Object], moment: Moment, memory: Memory) -> Ranking:
    """The clusters in sight, ranked. Of equal scores the first name is the best.

    Raises:
        Misconfigured: by what OCM looks at for these clusters; a predicate is not looked at where there is none.
    """
    unmet = _unmet(spec, clusters, moment, memory)
    admitted = [cluster for cluster in clusters if declared.name(cluster) not in unmet]
    standings = _standings(spec, admitted, moment)
    tainted = {name: _has(it.kept_out_by) for name, it in standings.items() if it.kept_out_by}
    until = {name: it.until for name, it in standings.items() if it.until}
    feasible = [cluster for cluster in admitted if declared.name(cluster) not in tainted]
    found = tuple(prioritize(by, feasible, moment) for by in prioritizers(spec.prioritizer_policy))
    totals = dict.fromkeys(map(declared.name, feasible), 0)
    for prioritized in found:
        for name, score in prioritized.scores.items():
            totals[name] += prioritized.weight * score
    best = sorted(feasible, key=lambda cluster: (-totals[declared.name(cluster)], declared.name(cluster)))
    return Ranking(best, totals, found, unmet | tainted, until)


def _unmet(spec: PlacementSpec, clusters: Sequence[Object], moment: Moment, memory: Memory) -> dict[str, str]:
    if not (spec.predicates and clusters):
        return {}
    scores = tuple(moment.reported.values())
    predicates = Predicates(spec.predicates, scores)
    reasons = memory.reasons(
        spec.predicates,
        clusters,
        scores,
        lambda cluster: None if predicates.admit(cluster) else why_not(predicates.lacks(cluster)),
    )
    return {name: reason for name, reason in reasons.items() if reason}


def _standings(spec: PlacementSpec, clusters: Sequence[Object], moment: Moment) -> dict[str, taints.Standing]:
    if clusters:
        taints.check(spec.tolerations)
    names = map(declared.name, clusters)
    return {
        name: taints.standing(cluster, spec.tolerations, chosen=name in moment.chosen, now=moment.now)
        for name, cluster in zip(names, clusters, strict=True)
    }


def _has(taint: taints.Taint) -> str:
    value = f"={taint.value}" if taint.value else ""
    return f"has the taint {taint.key}{value} ({taint.effect}{_ended(taint)})"


def _ended(taint: taints.Taint) -> str:
    if taint.tolerated_until is None:
        return ""
    if not taint.dated:
        return ", its toleration never began, as the taint has no timeAdded"
    return f", tolerated until {taint.tolerated_until:%Y-%m-%dT%H:%M:%SZ}"
