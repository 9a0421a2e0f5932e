"""What a hub holds of its fleet at one moment: all that a Placement's decision depends on, but the Placement and the clock."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fedspoke.api.base import Object


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
class Earlier:
    """What was decided before: clusters that the Placement itself has, and how often others have each."""

    chosen: frozenset[str]
    elsewhere: Mapping[str, int]


def earlier(placement: Object, decisions: Iterable[Object]) -> Earlier:
    """The earlier decisions of a hub as one Placement sees them; it does not weigh its own against itself."""
    own, others = set(), Counter[str]()
    whose = namespace(placement), placement["metadata"]["name"]
    for decision in decisions:
        names = [chosen["clusterName"] for chosen in (decision.get("status") or {}).get("decisions") or []]
        labels = decision["metadata"].get("labels") or {}
        if (namespace(decision), labels.get(PLACEMENT_LABEL)) == whose:
            own.update(names)
        else:
            others.update(names)
    return Earlier(chosen=frozenset(own), elsewhere=others)


def namespace(namespaced: Object) -> str:
    """The object's namespace, as kubectl would choose it where the object names none."""
    return str(namespaced["metadata"].get("namespace") or "default")
