"""Which of the clusters in sight qualify, and which of those are better: OCM's scheduler, from predicates to scores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

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


def rank(spec: PlacementSpec, clusters: Sequence[Object], moment: Moment, memory: Memory) -> Ranking:
    """The clusters in sight, ranked. Of equal scores the first name is the best.

    Raises:
        Misconfigured: by what OCM looks at for these clusters; a predicate is not looked at where there is none.
    """
    unmet = _unmet(spec, clusters, moment, memory)
    admitted = [cluster for cluster in clusters if declared.name(cluster) not in unmet]
    tainted = _tainted(spec, admitted, moment)
    feasible = [cluster for cluster in admitted if declared.name(cluster) not in tainted]
    found = tuple(prioritize(by, feasible, moment) for by in prioritizers(spec.prioritizer_policy))
    totals = dict.fromkeys(map(declared.name, feasible), 0)
    for prioritized in found:
        for name, score in prioritized.scores.items():
            totals[name] += prioritized.weight * score
    best = sorted(feasible, key=lambda cluster: (-totals[declared.name(cluster)], declared.name(cluster)))
    return Ranking(best, totals, found, unmet | tainted)


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


def _tainted(spec: PlacementSpec, clusters: Sequence[Object], moment: Moment) -> dict[str, str]:
    if clusters:
        taints.check(spec.tolerations)
    reasons = {}
    for cluster in clusters:
        name = declared.name(cluster)
        standing = taints.standing(cluster, spec.tolerations, chosen=name in moment.chosen, now=moment.now)
        if standing.kept_out_by:
            reasons[name] = _has(standing.kept_out_by)
    return reasons


def _has(taint: taints.Taint) -> str:
    value = f"={taint.value}" if taint.value else ""
    ended = f", tolerated until {taint.tolerated_until:%Y-%m-%dT%H:%M:%SZ}" if taint.tolerated_until else ""
    return f"has the taint {taint.key}{value} ({taint.effect}{ended})"
