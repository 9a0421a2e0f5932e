"""A Kubernetes Event for each change of phase: `kubectl describe fl` and `kubectl get events` tell the story."""

from datetime import datetime

from fedspoke.api.base import Object
from fedspoke.api.federated_learning import FederatedLearningStatus
from fedspoke.kube.client import MANAGER

_LONGEST = 1024


def transition(live: Object, before: FederatedLearningStatus, new: FederatedLearningStatus, now: datetime) -> Object | None:
    """The event of a status that follows another; None while the phase stays."""
    began = not before.message
    if new.phase == before.phase and not began:
        return None
    metadata = live["metadata"]
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": f"{metadata['name']}.", "namespace": metadata["namespace"]},
        "involvedObject": {
            "apiVersion": live["apiVersion"],
            "kind": live["kind"],
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
        },
        "type": "Warning" if new.phase == "Failed" else "Normal",
        "reason": new.phase,
        "message": new.message[:_LONGEST],
        "source": {"component": MANAGER},
        "firstTimestamp": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "lastTimestamp": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "count": 1,
    }
