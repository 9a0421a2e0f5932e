"""What a cluster's ManagedClusterAddOn says of the add-on: `kubectl get managedclusteraddon` and ACM's add-on tab show it.

`Available` is OCM's to say, from the Lease that the agent keeps, and `Progressing` OCM's add-on manager's. ACM shows the first
that is true of Degraded, Progressing and Available, with its message.
"""

from collections.abc import Iterator
from datetime import datetime

from fedspoke.api.base import Object
from fedspoke.hub.addon.registration import registrations
from fedspoke.manifestworks.collaborator import NAMESPACE

_Answer = tuple[str, str, str]
"""Status, reason, message."""


def status(addon: Object, work: Object | None, refused: str, now: datetime) -> Object:
    """The whole status of a ManagedClusterAddOn with our part in it; it is equal to the one before if nothing changed.

    Args:
        addon: the ManagedClusterAddOn.
        work: the ManifestWork that takes the agent to the cluster, as it is on the hub; None if there is none.
        refused: what the hub's API server has refused to do for the add-on; empty if nothing.
        now: the time of whatever changed.
    """
    before: Object = addon.get("status") or {}
    cluster, generation = addon["metadata"]["namespace"], addon["metadata"].get("generation", 1)
    registered, applied = _registered(cluster, refused), _applied(cluster, work)
    answers = {"RegistrationApplied": registered, "ManifestApplied": applied, "Degraded": _degraded(registered, applied)}
    known = {each["type"]: each for each in before.get("conditions") or []}
    ours = {kind: _condition(kind, answer, known.get(kind), generation, now) for kind, answer in answers.items()}
    return before | {
        "namespace": NAMESPACE,
        "registrations": registrations(addon),
        "conditions": list((known | ours).values()),
    }


def _condition(kind: str, answer: _Answer, before: Object | None, generation: int, now: datetime) -> Object:
    state, reason, message = answer
    same = before is not None and before["status"] == state
    return {
        "type": kind,
        "status": state,
        "reason": reason,
        "message": message,
        "observedGeneration": generation,
        "lastTransitionTime": before["lastTransitionTime"] if before and same else f"{now:%Y-%m-%dT%H:%M:%SZ}",
    }


def _registered(cluster: str, refused: str) -> _Answer:
    if refused:
        return "False", "SetPermissionFailed", refused
    return "True", "SetPermissionApplied", f"the agent of {cluster} may ask for its certificates"


def _applied(cluster: str, work: Object | None) -> _Answer:
    status = (work or {}).get("status") or {}
    said = next((each for each in status.get("conditions") or [] if each["type"] == "Applied"), None)
    if said is None:
        return "Unknown", "Waiting", f"the work agent of {cluster} has not yet said that it has the agent"
    if said["status"] == "True":
        return "True", "AddonManifestApplied", f"the agent's objects are on {cluster}"
    refused = "; ".join(_refused(status)) or said["message"]
    return "False", "AddonManifestAppliedFailed", f"{cluster} does not take the agent's objects: {refused}"


def _refused(status: Object) -> Iterator[str]:
    for manifest in (status.get("resourceStatus") or {}).get("manifests") or []:
        for each in manifest.get("conditions") or []:
            if each["type"] == "Applied" and each["status"] == "False":
                yield each["message"]


def _degraded(*answers: _Answer) -> _Answer:
    wrong = ((reason, message) for state, reason, message in answers if state == "False")
    return ("True", *first) if (first := next(wrong, None)) else ("False", "AsExpected", "nothing is missing")
