"""OCM's placement decision, in process: which clusters a Placement chooses, in OCM's words, and of every other one why not.

The steps are those of OCM's scheduling controller: the sets that it sees, predicates, taints, scores, the limit, groups.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from fedspoke.api import parse
from fedspoke.api.base import Object
from fedspoke.api.errors import Refused
from fedspoke.api.placement_spec import PlacementSpec
from fedspoke.placement import declared, taints
from fedspoke.placement.conditions import Condition, misconfigured, satisfied
from fedspoke.placement.fleet import Earlier, Fleet, earlier
from fedspoke.placement.groups import Group, divide
from fedspoke.placement.memory import Memory
from fedspoke.placement.misconfigured import Misconfigured
from fedspoke.placement.predicates import Predicates
from fedspoke.placement.prioritizers import Prioritized, prioritize, prioritizers
from fedspoke.placement.reasons import why_not
from fedspoke.placement.sets import view

_DISABLED = "cluster.open-cluster-management.io/experimental-scheduling-disable"


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

    def as_json(self) -> Object:
        """As `fedspoke place -o json` prints it; the decisions are those of PlacementDecisions, the groups of a status."""
        return {
            "decisions": [{"clusterName": name, "score": score} for name, score in self.decisions],
            "rejected": [{"clusterName": name, "reason": reason} for name, reason in self.rejected],
            "conditions": [condition.as_json() for condition in self.conditions],
            "groups": [group.as_json() for group in self.groups],
            "prioritizers": [it.as_json() for it in self.prioritizers],
            "notes": list(self.notes),
        }


@dataclass(slots=True)
class _Ranking:
    """The clusters that qualify, best first, and why the others do not."""

    best: Sequence[Object] = ()
    totals: Mapping[str, int] = field(default_factory=dict)
    prioritizers: tuple[Prioritized, ...] = ()
    out: dict[str, str] = field(default_factory=dict)


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
        ranking = _rank(spec, seen.clusters, fleet, earlier(placement, fleet.decisions), now, memory or Memory())
    except Misconfigured as found:
        why = f"is not looked at: the Placement is misconfigured ({found})"
        problem, ranking = found, _Ranking(out={declared.name(cluster): why for cluster in seen.clusters})
    wanted = spec.number_of_clusters
    chosen = ranking.best[:wanted]
    division = divide(placement["metadata"]["name"], spec, chosen, ranking.totals)
    written = [name for group in division.groups for name in group.clusters]
    unwritten = {declared.name(cluster) for cluster in chosen}.difference(written)
    rejected = seen.out_of_sight | ranking.out | _surplus(ranking, len(chosen))
    rejected |= dict.fromkeys(unwritten, f"is chosen, but not written down: {division.problem}")
    return Decision(
        decisions=tuple((name, ranking.totals[name]) for name in written),
        rejected=tuple(sorted(rejected.items())),
        conditions=(satisfied(seen.unsatisfied, len(chosen), wanted), misconfigured(division.problem or problem)),
        groups=division.groups,
        prioritizers=ranking.prioritizers,
        notes=tuple(_notes(spec)),
    )


def _rank(
    spec: PlacementSpec, clusters: Sequence[Object], fleet: Fleet, earlier: Earlier, now: datetime, memory: Memory
) -> _Ranking:
    out, admitted = {}, clusters
    if spec.predicates and clusters:
        predicates = Predicates(spec.predicates, fleet.scores)
        reasons = memory.reasons(spec.predicates, clusters, fleet.scores, lambda cluster: _unmet(predicates, cluster))
        out = {name: reason for name, reason in reasons.items() if reason}
        admitted = [cluster for cluster in clusters if declared.name(cluster) not in out]
    feasible = []
    if admitted:
        taints.check(spec.tolerations)
    for cluster in admitted:
        name = declared.name(cluster)
        standing = taints.standing(cluster, spec.tolerations, chosen=name in earlier.chosen, now=now)
        if standing.kept_out_by:
            out[name] = _tainted(standing.kept_out_by)
        else:
            feasible.append(cluster)
    reported = {(it["metadata"]["namespace"], it["metadata"]["name"]): it for it in fleet.scores}
    asked = prioritizers(spec.prioritizer_policy)
    found = tuple(prioritize(by, feasible, earlier, reported, now) for by in asked)
    totals = dict.fromkeys(map(declared.name, feasible), 0)
    for it in found:
        for name, score in it.scores.items():
            totals[name] += it.weight * score
    best = sorted(feasible, key=lambda cluster: (-totals[declared.name(cluster)], declared.name(cluster)))
    return _Ranking(best, totals, found, out)


def _unmet(predicates: Predicates, cluster: Object) -> str | None:
    return None if predicates.admit(cluster) else why_not(predicates.lacks(cluster))


def _tainted(taint: taints.Taint) -> str:
    value = f"={taint.value}" if taint.value else ""
    ended = f", tolerated until {taint.tolerated_until:%Y-%m-%dT%H:%M:%SZ}" if taint.tolerated_until else ""
    return f"has the taint {taint.key}{value} ({taint.effect}{ended})"


def _surplus(ranking: _Ranking, taken: int) -> dict[str, str]:
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


def _notes(spec: PlacementSpec) -> Sequence[str]:
    ignored = []
    if spec.spread_policy.spread_constraints:
        ignored.append("spreadPolicy changes nothing: OCM's scheduler does not evaluate it")
    if "score_rate_limit" in spec.model_fields_set:
        ignored.append("scoreRateLimit changes nothing here: it is about how often scores are written, and this is one decision")
    return ignored


def _refuse_undecided(placement: Object, spec: PlacementSpec) -> None:
    metadata = placement["metadata"]
    if metadata.get("deletionTimestamp"):
        raise Refused(f"Placement {metadata['name']} is being deleted, and OCM decides nothing more for it")
    if (metadata.get("annotations") or {}).get(_DISABLED) == "true":
        raise Refused(f"Placement {metadata['name']} has the annotation {_DISABLED}, so that OCM leaves it to another scheduler")
    if len(metadata["name"]) > 63:
        raise Refused(f"Placement {metadata['name']} must have at most 63 characters in its name: it is a label of its decisions")
    if spec.number_of_clusters is not None and not 0 <= spec.number_of_clusters < 2**31:
        raise Refused(f"numberOfClusters of a PlacementSpec is {spec.number_of_clusters}, but must be from 0 to {2**31 - 1}")
