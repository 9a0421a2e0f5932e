"""OCM's placement decision, in process: which clusters a Placement chooses, in OCM's words, and of every other one why not.

The steps are those of OCM's scheduling controller: the sets that it sees, predicates, taints, scores, the limit, groups.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from fedspoke.api import parse
from fedspoke.api.base import Object
from fedspoke.api.errors import Refused
from fedspoke.api.placement_spec import PlacementSpec
from fedspoke.api.problems import shown
from fedspoke.placement import declared
from fedspoke.placement.conditions import Condition, misconfigured, satisfied
from fedspoke.placement.fleet import Fleet, moment
from fedspoke.placement.groups import Group, divide
from fedspoke.placement.memory import Memory
from fedspoke.placement.misconfigured import Misconfigured
from fedspoke.placement.prioritizers import Prioritized
from fedspoke.placement.ranking import Ranking, rank
from fedspoke.placement.sets import view

_DISABLED = "cluster.open-cluster-management.io/experimental-scheduling-disable"
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LONGEST_NAME = 63
_INT32 = range(-(2**31), 2**31)


@dataclass(frozen=True, slots=True)
class Decision:
    """The chosen clusters with their scores, in the order in which OCM writes them, and the others, each with the reason."""

    decisions: tuple[tuple[str, int], ...]
    rejected: tuple[tuple[str, str], ...] = ()
    conditions: tuple[Condition, ...] = ()
    groups: tuple[Group, ...] = ()
    prioritizers: tuple[Prioritized, ...] = ()
    """What makes up the scores of all clusters that qualify, chosen or not."""
    notes: tuple[str, ...] = ()
    """What the Placement says that changes nothing here."""
    tolerated_until: Mapping[str, datetime] = field(default_factory=dict)
    """Of a chosen cluster with a taint, when the toleration that lets it in will end."""
    problem: str = ""
    """Why the Placement is misconfigured, with what would be right; empty if it is not."""

    def as_json(self) -> Object:
        """As `fedspoke place -o json` prints it; the decisions are those of PlacementDecisions, the groups of a status."""
        return {
            "decisions": [{"clusterName": name, "score": score} for name, score in self.decisions],
            "rejected": [{"clusterName": name, "reason": reason} for name, reason in self.rejected],
            "conditions": [condition.as_json() for condition in self.conditions],
            "groups": [group.as_json() for group in self.groups],
            "prioritizers": [it.as_json() for it in self.prioritizers],
            "notes": list(self.notes),
            "toleratedUntil": {name: f"{end:%Y-%m-%dT%H:%M:%SZ}" for name, end in self.tolerated_until.items()},
        }


def evaluate(placement: Object, fleet: Fleet, now: datetime, memory: Memory | None = None) -> Decision:
    """What a Placement decides over a fleet at the moment `now`, which has a time zone.

    A `memory` that is handed from one decision of the Placement to the next changes no answer and saves work.

    Raises:
        Refused: the Placement is none, an API server would not take it, or OCM makes no decision for it.
    """
    spec = parse.placement(placement)
    _refuse_undecided(placement, spec)
    seen = view(placement, fleet)
    problem = None
    try:
        ranking = rank(spec, seen.clusters, moment(placement, fleet, now), memory or Memory())
    except Misconfigured as found:
        why = f"is not looked at: the Placement is misconfigured ({found.said})"
        problem, ranking = found, Ranking(out=dict.fromkeys(map(declared.name, seen.clusters), why))
    wanted = spec.number_of_clusters
    chosen = ranking.best[:wanted]
    division = divide(placement["metadata"]["name"], spec, chosen, ranking.totals)
    written = [name for group in division.groups for name in group.clusters]
    unwritten = {declared.name(cluster) for cluster in chosen}.difference(written)
    rejected = seen.out_of_sight | ranking.out | _surplus(ranking, len(chosen))
    problem = division.problem or problem
    if problem:
        rejected |= dict.fromkeys(unwritten, f"is chosen, but not written down: {problem.said}")
    return Decision(
        decisions=tuple((name, ranking.totals[name]) for name in written),
        rejected=tuple(sorted(rejected.items())),
        conditions=(satisfied(seen.unsatisfied, len(chosen), wanted), misconfigured(problem)),
        groups=division.groups,
        prioritizers=ranking.prioritizers,
        notes=tuple(_notes(spec)),
        tolerated_until={name: ranking.until[name] for name in written if name in ranking.until},
        problem=problem.said if problem else "",
    )


def _surplus(ranking: Ranking, taken: int) -> dict[str, str]:
    """Of those beyond the limit, what the last one within it has."""
    names = [declared.name(cluster) for cluster in ranking.best]
    limit = f"qualifies, but numberOfClusters is {taken}"
    if not taken:
        return dict.fromkeys(names, limit)
    last = names[taken - 1]
    least = ranking.totals[last]

    def why(score: int) -> str:
        if score == least:
            return f"{limit}: score {score}, as the last taken, {last}, and of equal scores the first names win"
        return f"{limit}: score {score}, the last taken has {least}"

    return {name: why(ranking.totals[name]) for name in names[taken:]}


def _notes(spec: PlacementSpec) -> Iterator[str]:
    if spec.spread_policy.spread_constraints:
        yield "spreadPolicy changes nothing: OCM's scheduler does not evaluate it"
    if "score_rate_limit" in spec.model_fields_set:
        yield "scoreRateLimit changes nothing here: it is about how often scores are written, and this is one decision"


def _refuse_undecided(placement: Object, spec: PlacementSpec) -> None:
    metadata = placement.get("metadata") or {}
    name = metadata.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        raise Refused(
            f"metadata.name of a Placement is {shown(name)}, but must be at most 63 lower-case letters, digits, "
            "hyphens and dots, none of these beside a dot or at an end: it becomes a label of its decisions"
        )
    if metadata.get("deletionTimestamp"):
        raise Refused(f"Placement {name} is being deleted, and OCM decides nothing more for it")
    if (metadata.get("annotations") or {}).get(_DISABLED) == "true":
        raise Refused(f"Placement {name} has the annotation {_DISABLED}, so that OCM leaves it to another scheduler")
    for what, value, least in _counts(spec):
        if not least <= value <= _INT32[-1]:
            raise Refused(f"{what} of a PlacementSpec is {value}, but must be from {least} to {_INT32[-1]}")


def _counts(spec: PlacementSpec) -> Iterator[tuple[str, int, int]]:
    """Each number that OCM reads into 32 bits, with the least that it may be.

    The API server takes a larger one, and OCM's controller can then read no Placement of the whole hub.
    """
    if spec.number_of_clusters is not None:
        yield "numberOfClusters", spec.number_of_clusters, 0
    size = spec.decision_strategy.group_strategy.clusters_per_decision_group
    if isinstance(size, int):
        yield "decisionStrategy.groupStrategy.clustersPerDecisionGroup", size, _INT32[0]
    for index, constraint in enumerate(spec.spread_policy.spread_constraints):
        yield f"spreadPolicy.spreadConstraints[{index}].maxSkew", constraint.max_skew, 1
