"""Pods, and Jobs without one, as the API server of a Kubernetes 1.35 has them, in each kind of trouble."""

from typing import Any

from fedspoke.api.base import Object
from fedspoke.api.names import labels

NAMESPACE = "open-cluster-management-agent-addon"
WAITS: Object = {"waiting": {"reason": "ContainerCreating"}}
RUNS: Object = {"running": {"startedAt": "2026-11-21T12:00:00Z"}}


def pod(status: Object, run: str = "team-a.social", made: str = "2026-11-21T12:00:00Z") -> Object:
    claims = [{"name": f"data-{it}", "persistentVolumeClaim": {"claimName": f"{it}-data"}} for it in ("facebook", "instagram")]
    name = f"{run}-{made[11:13]}"
    metadata = {"name": name, "namespace": NAMESPACE, "uid": f"uid-{name}", "creationTimestamp": made, "labels": labels(run)}
    volumes = [{"name": "tmp", "emptyDir": {}}, *claims]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"volumes": volumes}, "status": status}


def job(*conditions: Object, run: str = "team-a.social") -> Object:
    """One that the agent has made."""
    owners = [{"kind": "Job", "uid": f"uid-asked-{run}"}]
    metadata = {"name": run, "namespace": NAMESPACE, "uid": f"uid-job-{run}", "labels": labels(run), "ownerReferences": owners}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {}, "status": {"conditions": list(conditions)}}


def unscheduled(message: str) -> Object:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    return pod({"phase": "Pending", "conditions": [condition]})


def container(state: Object, name: str = "mcp-server", **fields: Any) -> Object:
    """One container's status."""
    return {"name": name, "image": "fedspoke-collaborator:0.1.0", "state": state, "restartCount": 0, "ready": False} | fields


def of(*containers: Object, phase: str = "Pending") -> Object:
    """A pod that is on a node, with native sidecars in this state; what comes after them waits."""
    after = container({"waiting": {"reason": "PodInitializing"}}, "flower-client")
    scheduled = {"type": "PodScheduled", "status": "True"}
    found = {"phase": phase, "conditions": [scheduled], "initContainerStatuses": list(containers), "containerStatuses": [after]}
    return pod(found)


def ended(code: int, reason: str = "Error", message: str = "") -> Object:
    return {"terminated": {"exitCode": code, "reason": reason, "message": message}}


def event(it: Object, message: str, reason: str = "FailedMount", at: str = "2026-11-21T12:00:05Z") -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{it['metadata']['name']}.{at}", "namespace": NAMESPACE},
        "involvedObject": {"kind": it["kind"], "name": it["metadata"]["name"], "uid": it["metadata"]["uid"]},
        "type": "Warning",
        "reason": reason,
        "message": message,
        "lastTimestamp": at,
    }
