"""What an upload makes on a cluster: the volume claim, if there is none, and for as long as it lasts a pod that writes to it."""

from collections.abc import Sequence

from fedspoke.api.base import Object
from fedspoke.api.names import OURS
from fedspoke.manifestworks.collaborator import COLLABORATOR, HARDENED, NAMESPACE, unprivileged

VOLUME = "/volume"
"""Where the pod has it."""

_GIB = 1 << 30


def claim(name: str, least: int, uploaded: int, storage_class: str | None, volume: str | None) -> Object:
    """A claim of at least so many GiB, and of twice the upload: the next one is whole before the one before goes.

    Args:
        name: the claim's.
        least: GiB.
        uploaded: bytes.
        storage_class: the cluster's default one if None.
        volume: the name of a volume that was made for it, which no storage class provides.
    """
    size = max(least, -(-2 * uploaded // _GIB))
    spec: Object = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": f"{size}Gi"}}}
    if volume is not None:
        spec |= {"volumeName": volume, "storageClassName": ""}
    elif storage_class is not None:
        spec["storageClassName"] = storage_class
    metadata = {"name": name, "namespace": NAMESPACE, "labels": OURS}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}


def host_path(of: Object, folder: str) -> Object:
    """A volume for a claim that was made for it: a folder of the node, which stays when the claim goes."""
    name, spec = of["spec"]["volumeName"], of["spec"]
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "labels": OURS},
        "spec": {
            "accessModes": spec["accessModes"],
            "capacity": spec["resources"]["requests"],
            "claimRef": {"namespace": NAMESPACE, "name": of["metadata"]["name"]},
            "hostPath": {"path": folder, "type": "DirectoryOrCreate"},
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": "",
        },
    }


def pod(name: str, of: str, image: str, pull_secrets: Sequence[Object], *, openshift: bool) -> Object:
    """It does nothing by itself; whoever uploads starts what receives in it. It ends within a day, should nobody take it away."""
    container = {
        "name": "receive",
        "image": image,
        "command": ["sleep", "infinity"],
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}},
        "securityContext": HARDENED,
        "volumeMounts": [{"name": "volume", "mountPath": VOLUME}],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": OURS | {"app.kubernetes.io/component": "upload"}},
        "spec": {
            "activeDeadlineSeconds": 24 * 60 * 60,
            "automountServiceAccountToken": False,
            "containers": [container],
            "enableServiceLinks": False,
            "imagePullSecrets": [*pull_secrets],
            "restartPolicy": "Never",
            "securityContext": unprivileged(openshift=openshift),
            "serviceAccountName": COLLABORATOR,
            "terminationGracePeriodSeconds": 0,  # sleep takes no hint
            "volumes": [{"name": "volume", "persistentVolumeClaim": {"claimName": of}}],
        },
    }
