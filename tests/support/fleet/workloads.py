"""The smallest things that can be asked of a cluster: a pod or a Job of one container, and how each of them is doing."""

from fedspoke.api.base import Object
from support.fleet import images


def pod(name: str, *command: str, namespace: str = "default") -> Object:
    """A pod that runs one command, once."""
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace}, "spec": _once(command)}


def job(name: str, *command: str, namespace: str = "default") -> Object:
    """A Job that runs one command, once."""
    metadata = {"name": name, "namespace": namespace}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata,
        "spec": {"backoffLimit": 0, "template": {"spec": _once(command)}},
    }


def _once(command: tuple[str, ...]) -> Object:
    container = {"name": "main", "image": images.TESTS, "command": list(command)}
    return {"restartPolicy": "Never", "containers": [container]}
