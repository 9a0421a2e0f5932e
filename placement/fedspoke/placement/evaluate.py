"""OCM's placement decision, in process: which clusters a Placement chooses and, for every other one, why not.

What OCM would take into account and this does not is refused by its field's name, never passed over: a decision that differs
from the hub's would be worse than none.
"""

from dataclasses import dataclass
from datetime import datetime

from fedspoke.api import parse
from fedspoke.api.errors import Refused
from fedspoke.api.federated_learning import Object
from fedspoke.api.placement_spec import DecisionStrategy, PlacementSpec, PrioritizerPolicy, SpreadPolicy
from fedspoke.placement import declared
from fedspoke.placement.fleet import Fleet
from fedspoke.placement.predicates import unmet
from fedspoke.placement.reasons import why_not

_SCORE = 100
"""OCM's default score of a cluster without earlier decisions: Balance 100, Steady 0, each of weight 1."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The chosen clusters with their scores, in order, and the others, each with the reason."""

    decisions: tuple[tuple[str, int], ...]
    rejected: tuple[tuple[str, str], ...] = ()

    def as_json(self) -> Object:
        """As `fedspoke place -o json` prints it; the decisions are those of a PlacementDecision's status."""
        return {
            "decisions": [{"clusterName": name, "score": score} for name, score in self.decisions],
            "rejected": [{"clusterName": name, "reason": reason} for name, reason in self.rejected],
        }


def evaluate(placement: Object, fleet: Fleet, now: datetime) -> Decision:
    """What a Placement decides over a fleet at the moment `now`, which has a time zone.

    Raises:
        Refused: the Placement is none, or asks for what is not evaluated here.
    """
    spec = parse.placement(placement)
    _refuse_unevaluated(spec)
    kept_out = {declared.name(cluster): _kept_out(spec, cluster) for cluster in fleet.clusters}
    qualified = sorted(name for name, reason in kept_out.items() if reason is None)
    wanted = len(qualified) if spec.number_of_clusters is None else spec.number_of_clusters
    surplus = f"qualifies, but numberOfClusters is {wanted}, and of equal scores the first names win"
    rejected = {name: reason for name, reason in kept_out.items() if reason} | dict.fromkeys(qualified[wanted:], surplus)
    return Decision(
        decisions=tuple((name, _SCORE) for name in qualified[:wanted]),
        rejected=tuple(sorted(rejected.items())),
    )


def _kept_out(spec: PlacementSpec, cluster: Object) -> str | None:
    if "deletionTimestamp" in cluster["metadata"]:
        return "is being deleted"
    if cluster.get("spec", {}).get("hubAcceptsClient") is False:
        return "is not accepted by the hub: spec.hubAcceptsClient is false"
    missing = [unmet(predicate.required_cluster_selector, cluster) for predicate in spec.predicates]
    if missing and all(missing):
        return why_not(missing)
    for taint in cluster.get("spec", {}).get("taints") or []:
        # NoSelectIfNew keeps out only what is not chosen yet, and here nothing is; PreferNoSelect never keeps out.
        if taint.get("effect") in ("NoSelect", "NoSelectIfNew"):
            value = f"={taint['value']}" if taint.get("value") else ""
            return f"has the taint {taint['key']}{value} ({taint['effect']})"
    return None


def _refuse_unevaluated(spec: PlacementSpec) -> None:
    beyond = {
        "prioritizerPolicy": spec.prioritizer_policy not in (PrioritizerPolicy(), PrioritizerPolicy(mode="")),
        "spreadPolicy": spec.spread_policy != SpreadPolicy(),
        "tolerations": bool(spec.tolerations),
        "decisionStrategy": spec.decision_strategy != DecisionStrategy(),
    }
    for field, asked in beyond.items():
        if asked:
            raise Refused(f"{field} of a PlacementSpec is not evaluated here yet, only on a hub: take it out")
    if spec.number_of_clusters is not None and spec.number_of_clusters < 0:
        raise Refused(f"numberOfClusters of a PlacementSpec is {spec.number_of_clusters}, but must be at least 0")
