"""The smallest things that can be asked of a cluster or of a hub, and how each of them is doing.

Their pods have no more rights than the strictest cluster grants: no root, no capability, nothing to write to.
"""

from functools import partial

from fedspoke.api.base import Object
from fedspoke.api.errors import Failed
from support.fleet import images, ocm
from support.fleet.kubernetes import POD, Kubernetes
from support.fleet.wait import until

NAMESPACE = "default"


def pod(name: str, *command: str) -> Object:
    """A pod that runs one command, once."""
    metadata = {"name": name, "namespace": NAMESPACE, "labels": {"app": name}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": _once(command)}


def job(name: str, *command: str) -> Object:
    """A Job that runs one command, and does not try it again."""
    metadata = {"name": name, "namespace": NAMESPACE}
    spec = {"backoffLimit": 0, "template": {"spec": _once(command)}}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}


def node_port(name: str, port: int, outside: int) -> Object:
    """A service that leads from a port of every node to the pod of this name."""
    ports = [{"port": port, "nodePort": outside}]
    spec = {"type": "NodePort", "selector": {"app": name}, "ports": ports}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": NAMESPACE}, "spec": spec}


def work(cluster: str, of_job: Object) -> Object:
    """A ManifestWork that has a cluster run a Job, and the hub hear of it."""
    name = of_job["metadata"]["name"]
    identifier = {"group": "batch", "resource": "jobs", "name": name, "namespace": NAMESPACE}
    return {
        "apiVersion": ocm.WORK.api_version,
        "kind": "ManifestWork",
        "metadata": {"name": name, "namespace": cluster},
        "spec": {
            "workload": {"manifests": [of_job]},
            "manifestConfigs": [{"resourceIdentifier": identifier, "feedbackRules": [{"type": "WellKnownStatus"}]}],
        },
    }


def feedback(document: Object) -> dict[str, object]:
    """What the hub has heard of the one object of a ManifestWork, by the name of each value."""
    (manifest,) = document.get("status", {}).get("resourceStatus", {}).get("manifests") or [{}]
    values = [(each["name"], each["fieldValue"]) for each in manifest.get("statusFeedback", {}).get("values", [])]
    return {name: value[value["type"][0].lower() + value["type"][1:]] for name, value in values}


def phase(kubernetes: Kubernetes, name: str) -> str | None:
    """How a pod is doing."""
    found: str | None = kubernetes.get(POD, name, NAMESPACE).get("status", {}).get("phase")
    return found


def succeeds(kubernetes: Kubernetes, name: str, seconds: float) -> str:
    """What a pod has said, once it has succeeded.

    Raises:
        Failed: it has failed, or does not end in time.
    """
    ended = until(f"pod {name} ends", partial(phase, kubernetes, name), seconds, so=("Succeeded", "Failed").__contains__)
    said = kubernetes.log(name, NAMESPACE)
    if ended == "Failed":
        raise Failed(f"pod {name} failed; its last words: {said[-1000:]}")
    return said


def _once(command: tuple[str, ...]) -> Object:
    container = {
        "name": "main",
        "image": images.TESTS,
        "command": list(command),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "runAsUser": 1_000_660_000,  # as OpenShift would choose one
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    return {"restartPolicy": "Never", "terminationGracePeriodSeconds": 0, "containers": [container]}
