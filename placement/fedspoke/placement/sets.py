"""Which clusters a Placement may look at at all: those of the ManagedClusterSets that are bound into its namespace.

As OCM's scheduling controller does it, a binding counts because it exists and its set does; its Bound condition is not asked.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from fedspoke.api.base import Object
from fedspoke.api.errors import Refused
from fedspoke.api.placement_spec import LabelSelector
from fedspoke.placement import declared, labels
from fedspoke.placement.fleet import Fleet

SET_LABEL = "cluster.open-cluster-management.io/clusterset"
"""Label of a ManagedCluster: the one ManagedClusterSet of the type ExclusiveClusterSetLabel that it is in."""


@dataclass(frozen=True, slots=True)
class Unsatisfied:
    """Why the sets leave no cluster: reason and message of the condition PlacementSatisfied, which is then False."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class View:
    """The clusters that a Placement may choose from, and of every other one by name why it is out of sight.

    `unsatisfied` is there exactly if `clusters` is empty. OCM goes on even then: a Placement without clusters is never
    misconfigured by its filters, since they return before they look at it.
    """

    clusters: tuple[Object, ...]
    out_of_sight: dict[str, str] = field(default_factory=dict)
    unsatisfied: Unsatisfied | None = None


def view(placement: Object, fleet: Fleet) -> View:
    """What a Placement sees of a fleet, as on a hub: nothing without a set and a binding in its namespace.

    Where every cluster counts, `View(fleet.clusters)` says so.

    Raises:
        Refused: a set's selector is one on which OCM's controller fails, again and again, without a decision or a condition.
    """
    namespace = declared.namespace(placement)
    members = {declared.name(it): _members(it) for it in fleet.sets}
    bindings = {declared.name(it) for it in fleet.bindings if declared.namespace(it) == namespace}
    bound = bindings & members.keys()
    asked = (placement.get("spec") or {}).get("clusterSets") or []
    eligible = sorted(bound & set(asked) if asked else bound)
    seen = {
        declared.name(it): it
        for it in fleet.clusters
        if any(members[name](it) for name in eligible) and not declared.is_being_deleted(it)
    }

    def why(cluster: Object) -> str:
        return _why_not(cluster, [name for name, has in members.items() if has(cluster)], bound, eligible, namespace)

    out_of_sight = {name: why(it) for it in fleet.clusters if (name := declared.name(it)) not in seen}
    return View(tuple(seen.values()), out_of_sight, None if seen else _unsatisfied(bound, eligible, asked))


def _members(cluster_set: Object) -> Callable[[Object], bool]:
    name = declared.name(cluster_set)
    selector = (cluster_set.get("spec") or {}).get("clusterSelector") or {}
    match selector.get("selectorType") or "ExclusiveClusterSetLabel", selector.get("labelSelector"):
        case "ExclusiveClusterSetLabel", _:
            return lambda cluster: declared.labels(cluster).get(SET_LABEL) == name
        case "LabelSelector", None:
            return lambda cluster: False
        case "LabelSelector", given:
            try:
                required = labels.requirements(LabelSelector.model_validate(given))
            except labels.Invalid as invalid:
                raise Refused(f"ManagedClusterSet {name} has a bad labelSelector: {invalid}") from None
            return lambda cluster: all(labels.holds(it, declared.labels(cluster)) for it in required)
        case unknown, _:
            raise Refused(
                f"ManagedClusterSet {name} has the selectorType {unknown}; take ExclusiveClusterSetLabel or LabelSelector"
            )


def _unsatisfied(bound: Iterable[str], eligible: list[str], asked: list[str]) -> Unsatisfied:
    if not bound:
        return Unsatisfied("NoManagedClusterSetBindings", "No valid ManagedClusterSetBindings found in placement namespace")
    if not eligible:
        message = f"None of ManagedClusterSets [{','.join(asked)}] is bound to placement namespace"
        return Unsatisfied("NoIntersection", message)
    message = f"All ManagedClusterSets [{','.join(eligible)}] have no member ManagedCluster"
    return Unsatisfied("AllManagedClusterSetsEmpty", message)


def _why_not(cluster: Object, member_of: list[str], bound: set[str], eligible: list[str], namespace: str) -> str:
    if not member_of:
        return "is in no ManagedClusterSet"
    if set(member_of) & set(eligible):
        return "is being deleted"
    if unasked := sorted(bound & set(member_of)):
        return f"is in the ManagedClusterSet {' and '.join(unasked)}, which clusterSets does not name"
    return f"is in the ManagedClusterSet {' and '.join(sorted(member_of))}, which is not bound to the namespace {namespace}"
