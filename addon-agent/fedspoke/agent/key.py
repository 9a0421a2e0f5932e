"""The key that a collaborator's files are sealed with: one for each federation, made on the cluster, in a Secret that only its
trainer mounts. The hub does not ask for it, and is told nothing of it.

It lives as long as the collaborator may come back. Without it what was sealed is noise, whatever volume that lies in: taking the
Secret away is the wipe. It belongs to the federation's settings, so that it goes with the federation even without an agent.
"""

import base64
import json
import logging
import secrets

from fedspoke.api.base import Object
from fedspoke.api.errors import Failed
from fedspoke.api.names import DOMAIN, labels
from fedspoke.kube.client import Kind, Kubernetes, reference
from fedspoke.manifestworks.collaborator import SETTINGS_FILE
from fedspoke.manifestworks.report import key_name

log = logging.getLogger("fedspoke")

FILE = "/var/run/fedspoke/key/key"
"""As the trainer sees it."""

_BYTES = 32
_VOLUME, _TRAINER = "key", "mcp-server"
_MOUNT: Object = {"name": _VOLUME, "mountPath": FILE.rpartition("/")[0], "readOnly": True}
_SETTINGS = f"{DOMAIN}/{SETTINGS_FILE}"
_SECRET, _CONFIG_MAP = Kind("v1", "Secret"), Kind("v1", "ConfigMap")


def keep(kube: Kubernetes, run: str, namespace: str) -> None:
    """There is a key of this federation afterwards: the one that there was, or a new one.

    Raises:
        Failed: the API server does not let us.
    """
    there, settings = kube.get(_SECRET, key_name(run), namespace), kube.get(_CONFIG_MAP, run, namespace)
    if settings is None or (there is not None and _is_of(there, settings)):
        return
    if there is not None:  # of an earlier federation of this name, or taken away: it is about to go
        kube.delete(there)
        if kube.get(_SECRET, key_name(run), namespace):
            raise Failed("the key of an earlier federation of this name is being taken away; it starts after that")
    kube.create(secret(run, namespace, reference(settings), secrets.token_bytes(_BYTES)))
    log.info("%s: a key was made for what it writes", run)


def shred(kube: Kubernetes, run: str, namespace: str) -> None:
    """There is none afterwards, and nobody reads any more what was sealed with it.

    Raises:
        Failed: the API server does not let us.
    """
    if there := kube.get(_SECRET, key_name(run), namespace):
        kube.delete(there)
        log.info("%s: the key of what it wrote was taken away", run)


def secret(run: str, namespace: str, owner: Object, key: bytes) -> Object:
    """The Secret."""
    metadata = {"name": key_name(run), "namespace": namespace, "labels": labels(run), "ownerReferences": [owner]}
    data = {"key": base64.b64encode(key).decode()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "immutable": True, "data": data}


def with_key(job: Object, run: str) -> Object:
    """A Job whose trainer has the key, as a file and whatever the hub says of it, and no other container."""
    template = job["spec"]["template"]
    spec, annotations = template["spec"], template["metadata"]["annotations"]
    told = json.dumps(json.loads(annotations[_SETTINGS]) | {"key": FILE}, indent=1)
    metadata = template["metadata"] | {"annotations": annotations | {_SETTINGS: told}}
    containers = {name: [_mounted(it) for it in spec[name]] for name in ("initContainers", "containers") if spec.get(name)}
    pod = spec | containers | {"volumes": [*(spec.get("volumes") or []), _volume(run)]}
    return job | {"spec": job["spec"] | {"template": template | {"metadata": metadata, "spec": pod}}}


def has_key(job: Object, run: str) -> bool:
    """Whether a Job's trainer has the key, and is told where: else it was not made here, and what it writes is not sealed."""
    template = job["spec"]["template"]
    spec, annotations = template["spec"], template["metadata"].get("annotations") or {}
    mounts = [
        it for each in spec.get("initContainers") or [] if each["name"] == _TRAINER for it in each.get("volumeMounts") or []
    ]
    try:
        told = json.loads(annotations.get(_SETTINGS, "{}")).get("key")
    except (ValueError, AttributeError):  # no JSON, or no object
        return False
    return told == FILE and _MOUNT in mounts and _volume(run) in (spec.get("volumes") or [])


def without_key(job: Object, run: str) -> Object:
    """The Job as it was asked for, by which it is judged."""
    template = job["spec"]["template"]
    spec = template["spec"]
    volumes = [it for it in spec.get("volumes") or [] if not _is_ours(it, run)]
    containers = {name: [_unmounted(it) for it in spec[name]] for name in ("initContainers", "containers") if spec.get(name)}
    return job | {"spec": job["spec"] | {"template": template | {"spec": spec | containers | {"volumes": volumes}}}}


def _mounted(container: Object) -> Object:
    if container["name"] != _TRAINER:
        return container
    return container | {"volumeMounts": [*(container.get("volumeMounts") or []), _MOUNT]}


def _unmounted(container: Object) -> Object:
    if container["name"] != _TRAINER:
        return container
    return container | {"volumeMounts": [it for it in container.get("volumeMounts") or [] if it != _MOUNT]}


def _volume(run: str) -> Object:
    # For its owner alone; kubelet lets the pod's group read it, too, of which any user is that a pod may get.
    return {"name": _VOLUME, "secret": {"secretName": key_name(run), "defaultMode": 0o400}}


def _is_ours(volume: Object, run: str) -> bool:
    return volume["name"] == _VOLUME and (volume.get("secret") or {}).get("secretName") == key_name(run)


def _is_of(there: Object, settings: Object) -> bool:
    metadata = there["metadata"]
    return "deletionTimestamp" not in metadata and reference(settings) in (metadata.get("ownerReferences") or [])
