"""What a spoke's owner offers, and what inspections say of it, as the spoke's API server has them."""

import json
from typing import Any

from fedspoke.agent.inspection import KEY, LABELS, VERSION
from fedspoke.api.base import Object
from fedspoke.api.names import MODEL, OFFERS, UPLOADED, VOLUME
from fedspoke.manifestworks.collaborator import DATASETS, OUTPUTS
from support.pods import NAMESPACE

NOTHING_KNOWN: Object = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": DATASETS, "namespace": NAMESPACE, "uid": "uid-d"},
}

NO_FOLDERS: Object = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": OUTPUTS, "namespace": NAMESPACE, "uid": "uid-o"},
}


def volume(
    name: str = "holiday", platform: str | None = "facebook", *, bound: bool = True, uploaded: str | None = None
) -> Object:
    """A volume claim; without a platform it is not offered."""
    metadata = {
        "name": name,
        "namespace": NAMESPACE,
        "uid": f"uid-{name}",
        "labels": {} if platform is None else {OFFERS: platform},
        "annotations": {UPLOADED: uploaded} if uploaded else {},
    }
    status = {"phase": "Bound" if bound else "Pending"}
    spec = {"volumeName": f"volume-of-{name}"} if bound else {}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec, "status": status}


def outputs(name: str = "room", value: str = "output", **labels: str) -> Object:
    """A volume claim for what collaborators write."""
    found = volume(name, None)
    return found | {"metadata": found["metadata"] | {"labels": {VOLUME: value} | labels}}


def model(name: str = "model") -> Object:
    """A volume claim that federations may name as their models'."""
    return outputs(name, MODEL)


def folder(path: str | None, name: str = "holiday", platform: str = "facebook") -> Object:
    """A ConfigMap that names a node's folder."""
    metadata = {"name": name, "namespace": NAMESPACE, "uid": f"uid-{name}", "labels": {OFFERS: platform}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {} if path is None else {"path": path}}


def said(posts: Any = 12, platform: Any = "facebook", **fields: Any) -> str:
    """What `fedspoke data inspect` prints."""
    rest = {"images": 3, "videos": 0, "kinds": {"post": posts}, "skipped": {}, "from": "2024-01-02", "to": "2025-11-21"}
    return json.dumps({"platform": platform, "posts": posts} | rest | fields)


def pod(job: Object, message: str = "", code: int | None = 0) -> Object:
    """The pod of an inspection: ended in this way, or at work where there is no exit code."""
    name = f"{job['metadata']['name']}-x7k2p"
    state: Object = {"running": {}} if code is None else {"terminated": {"exitCode": code, "message": message}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "uid": f"uid-{name}",
            "labels": LABELS | {"batch.kubernetes.io/job-name": job["metadata"]["name"]},
        },
        "spec": {},
        "status": {
            "phase": "Running" if code is None else "Succeeded",
            "containerStatuses": [{"name": "inspect", "state": state}],
        },
    }


def offer_of(job: Object) -> tuple[str, str]:
    """The key and the version of the offer that a Job is for."""
    annotations = job["metadata"]["annotations"]
    return annotations[KEY], annotations[VERSION]
