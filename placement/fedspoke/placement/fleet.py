"""What a hub holds of its fleet at one moment: all that a Placement's decision depends on, but the Placement and the clock."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from fedspoke.api.base import Object
from fedspoke.placement import declared


@dataclass(frozen=True, slots=True)
class Fleet:
    """Kubernetes objects, each as a hub's API server gives it; none of them is ever changed.

    As on a hub, a Placement sees a cluster only through a set that is bound to its namespace: without `sets` and `bindings`
    it sees none.
    """

    clusters: tuple[Object, ...] = ()
    """ManagedClusters."""
    sets: tuple[Object, ...] = ()
    """ManagedClusterSets."""
    bindings: tuple[Object, ...] = ()
    """ManagedClusterSetBindings, of every namespace."""
    scores: tuple[Object, ...] = ()
    """AddOnPlacementScores, each in its cluster's namespace."""
    decisions: tuple[Object, ...] = ()
    """Earlier PlacementDecisions, of every Placement."""


PLACEMENT_LABEL = "cluster.open-cluster-management.io/placement"
"""Label of a PlacementDecision: the name of its Placement, which is in the same namespace."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What one Placement goes by at one moment, beside the clusters themselves."""

    chosen: frozenset[str]
    """The clusters that it has chosen before."""
    elsewhere: Mapping[str, int]
    """How many decisions of other Placements have each cluster."""
    reported: Mapping[tuple[str, str], Object]
    """Each AddOnPlacementScore, by its cluster and name."""
    now: datetime


def moment(placement: Object, fleet: Fleet, now: datetime) -> Moment:
    """The moment `now` as one Placement sees it; it does not weigh its own decisions against itself."""
    own, others = set[str](), Counter[str]()
    whose = declared.namespace(placement), placement["metadata"]["name"]
    for decision in fleet.decisions:
        names = [chosen["clusterName"] for chosen in (decision.get("status") or {}).get("decisions") or []]
        labels = decision["metadata"].get("labels") or {}
        if (declared.namespace(decision), labels.get(PLACEMENT_LABEL)) == whose:
            own.update(names)
        else:
            others.update(names)
    reported = {(declared.namespace(score), score["metadata"]["name"]): score for score in fleet.scores}
    return Moment(chosen=frozenset(own), elsewhere=others, reported=reported, now=now)
