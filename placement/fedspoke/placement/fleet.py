"""What a hub holds of its fleet at one moment: all that a Placement's decision depends on, but the Placement and the clock."""

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
