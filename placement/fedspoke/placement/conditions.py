"""The two conditions of a Placement's status, in OCM's words."""

from dataclasses import dataclass

from fedspoke.api.base import Object
from fedspoke.placement.misconfigured import Misconfigured
from fedspoke.placement.sets import Unsatisfied


@dataclass(frozen=True, slots=True)
class Condition:
    """A metav1.Condition, but for its times and generation."""

    type: str
    status: bool
    reason: str
    message: str

    def as_json(self) -> Object:
        """As it is in the status."""
        return {"type": self.type, "status": str(self.status), "reason": self.reason, "message": self.message}


def satisfied(unsatisfied: Unsatisfied | None, chosen: int, wanted: int | None) -> Condition:
    """PlacementSatisfied: there are clusters to choose from, and as many were chosen as `numberOfClusters` wants."""
    lacking = 0 if wanted is None else wanted - chosen
    if unsatisfied:
        answer = False, unsatisfied.reason, unsatisfied.message
    elif not chosen:
        answer = False, "NoManagedClusterMatched", "No ManagedCluster matches any of the cluster predicate"
    elif not lacking:
        answer = True, "AllDecisionsScheduled", "All cluster decisions scheduled"
    else:
        answer = False, "NotAllDecisionsScheduled", f"{lacking} cluster decisions unscheduled"
    return Condition("PlacementSatisfied", *answer)


def misconfigured(problem: Misconfigured | None) -> Condition:
    """PlacementMisconfigured: OCM could not evaluate the Placement as it is written."""
    if problem:
        return Condition("PlacementMisconfigured", True, "Misconfigured", str(problem))
    return Condition("PlacementMisconfigured", False, "Succeedconfigured", "Placement configurations check pass")
