"""A federation on a fleet of our own: the controller on the hub, data and a model on the spokes, and what is seen of it."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from fedspoke.api.base import Object
from fedspoke.api.names import FEDERATED_LEARNING, MODEL, OFFERS, PLATFORMS, VOLUME, Platform, platform_label
from fedspoke.local import demo
from fedspoke.manifestworks.collaborator import CERTIFICATE_SECRET, NAMESPACE
from support import build
from support.fleet import images, ocm
from support.fleet.cluster import Cluster
from support.fleet.deployed import FEDERATION, HOME, as_controller, deploy
from support.fleet.fleet import OwnFleet
from support.fleet.kubernetes import JOB, POD, SERVICE, SERVICE_ACCOUNT, Kind, Rejected
from support.fleet.kubernetes import NAMESPACE as NAMESPACES
from support.fleet.wait import until

USERS = "social"
"""The namespace of those who create federations."""
CONTROLLER = "controller"
"""The program's name on the hub's machine: it can be killed and started again."""

_CLAIM = Kind("v1", "persistentvolumeclaims")
_WORKLOADS = (POD, SERVICE, Kind("apps/v1", "deployments"), _CLAIM, ocm.PLACEMENT, ocm.BINDING)
_RBAC = "rbac.authorization.k8s.io/v1"
_OTHERS = (
    POD,
    SERVICE_ACCOUNT,
    *(Kind("v1", it) for it in ("secrets", "configmaps")),
    *(Kind(_RBAC, it) for it in ("roles", "rolebindings")),
)
"""What is not seen at work, and may hold a secret or give a right."""
_SECRET, _PLATFORM = Kind("v1", "secrets"), dict(zip(("spoke1", "spoke2"), PLATFORMS, strict=True))
_SECONDS = 120


@contextmanager
def ready(fleet: OwnFleet, folder: Path) -> Iterator[OwnFleet]:
    """A fleet whose hub knows FederatedLearnings, and whose spokes each have one platform's posts and the tiny model."""
    demo.write(folder / "example")
    for spoke in fleet.spokes:
        spoke.kubernetes.apply(_namespace(NAMESPACE))
        platform = _PLATFORM[spoke.name]
        for claim, files in ((f"{platform}-data", f"exports/{platform}"), ("model", "model")):
            it = f"{claim}-{folder.name}"  # each time another volume
            offer(spoke, claim, it, folder / "example" / files, model=claim == "model")
        declare(fleet, spoke, data=True)
    try:
        with controlled(fleet, folder):
            yield fleet
    finally:
        for spoke in fleet.spokes:
            for claim in (f"{_PLATFORM[spoke.name]}-data", "model"):
                spoke.kubernetes.delete(_CLAIM, claim, NAMESPACE)
            until(f"{spoke.name} has no claims", partial(spoke.kubernetes.all, _CLAIM, NAMESPACE), _SECONDS, so=[].__eq__)


@contextmanager
def controlled(fleet: OwnFleet, folder: Path) -> Iterator[None]:
    """hub/deploy is on the hub, a process is the controller, since its image is not here, and every spoke has its certificate."""
    hub = fleet.hub
    deploy(hub.kubernetes, but=["operator.yaml"])
    hub.kubernetes.apply(_namespace(USERS))
    command = [sys.executable, "-m", "fedspoke.cli", "operator", "--namespace", HOME, "--agent-image", images.TESTS]
    hub.machine.start(CONTROLLER, "env", f"KUBECONFIG={as_controller(hub.kubernetes, hub.kubeconfig, folder)}", *command)
    try:
        for spoke in fleet.spokes:
            certificate = partial(spoke.kubernetes.get, _SECRET, CERTIFICATE_SECRET, NAMESPACE)
            until(f"{spoke.name} has its certificate", certificate, _SECONDS)
        yield
    finally:
        hub.machine.kill(CONTROLLER)


@contextmanager
def federation(fleet: OwnFleet, name: str, namespace: str = USERS, **spec: Any) -> Iterator[str]:
    """A FederatedLearning of both spokes; when the block ends it is deleted, and waited for until it has gone."""
    document = build.federated_learning(name, namespace, **SPEC | spec)
    claim = document["spec"]["server"].get("storage", {}).get("name", f"{name}-aggregator")
    if not volume(fleet, claim, namespace).exists():  # else the claim has outlived a federation before
        fleet.hub.volume(volume(fleet, claim, namespace).name, "10Gi", (namespace, claim))
    fleet.hub.kubernetes.apply(document)
    try:
        yield name
    finally:
        if not gone(fleet, name, namespace):
            fleet.hub.kubernetes.delete(FEDERATION, name, namespace)
        until(f"{name} has gone", lambda: gone(fleet, name, namespace), _SECONDS)


def declare(fleet: OwnFleet, spoke: Cluster, *, data: bool) -> None:
    """Say on the hub, and offer on the spoke, that it has its platform's data, or say so no longer."""
    platform = _PLATFORM[spoke.name]
    labels = {platform_label(platform): "true" if data else None}
    fleet.hub.kubernetes.merge(ocm.CLUSTER, spoke.name, {"metadata": {"labels": labels}})
    offered = {OFFERS: platform if data else None}
    spoke.kubernetes.merge(_CLAIM, f"{platform}-data", {"metadata": {"labels": offered}}, NAMESPACE)


def volume(fleet: OwnFleet, claim: str, namespace: str = USERS) -> Path:
    """The files of a claim on the hub."""
    return fleet.hub.folder / "volumes" / f"{namespace}-{claim}"


def status(fleet: OwnFleet, name: str, namespace: str = USERS) -> Object:
    """What the federation says of itself."""
    found: Object = fleet.hub.kubernetes.get(FEDERATION, name, namespace).get("status", {})
    return found


def gone(fleet: OwnFleet, name: str, namespace: str = USERS) -> bool:
    """Whether there is no such federation any more."""
    try:
        fleet.hub.kubernetes.get(FEDERATION, name, namespace)
    except Rejected:
        return True
    return False


def running(fleet: OwnFleet) -> list[str]:
    """What of federations runs on hub and spokes."""
    jobs = [job["metadata"]["name"] for spoke in fleet.spokes for job in spoke.kubernetes.all(JOB)]
    return jobs + [pod["metadata"]["name"] for pod in fleet.hub.kubernetes.all(POD, USERS)]


def nothing_left(fleet: OwnFleet) -> list[str]:
    """What is on hub and spokes of federations, a moment after the last of them has gone: nothing.

    Raises:
        Failed: something stays.
    """

    def found() -> list[str]:
        hub = [it["metadata"]["name"] for kind in _WORKLOADS for it in fleet.hub.kubernetes.all(kind, USERS)]
        works = [it["metadata"]["name"] for spoke in fleet.spokes for it in fleet.hub.kubernetes.all(ocm.WORK, spoke.name)]
        others = [
            f"{kind.plural} {it['metadata']['name']}"
            for cluster in (fleet.hub, *fleet.spokes)
            for kind in _OTHERS
            for it in cluster.kubernetes.all(kind, labels=FEDERATED_LEARNING)
        ]
        return hub + [it for it in works if not it.startswith("addon-")] + others + running(fleet)

    return until("nothing is left", found, _SECONDS, so=[].__eq__)


SPEC: dict[str, Any] = {
    "server": {"rounds": 3, "minAvailableClients": 2, "roundTimeout": "5m", "image": images.TESTS},
    "client": {
        "image": images.TESTS,
        "data": {"platforms": list(PLATFORMS)},
        "placement": {"clusterSets": ["global"]},
    },
    "training": {
        "model": {"name": "/model", "claimName": "model"},
        "lora": {"rank": 4},
        "steps": 2,
        "batchSize": 2,
        "gradientAccumulation": 1,
        "learningRate": 0.004,
        "maxLength": 256,
    },
    "profiles": {"encoder": str(demo.encoder()), "minPosts": 5},
    "deadline": "20m",
}


def _namespace(name: str) -> Object:
    return {"apiVersion": NAMESPACES.api_version, "kind": "Namespace", "metadata": {"name": name}}


def offer(spoke: Cluster, claim: str, volume: str, files: Path, platform: Platform | None = None, *, model: bool = False) -> None:
    """A volume with these files, readable for whoever a pod runs as, and the claim that gets it; offered, if of a platform, or
    for models.
    """
    folder = spoke.volume(volume)
    shutil.copytree(files, folder, dirs_exist_ok=True)
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    asked = {"accessModes": ["ReadWriteOnce"], "volumeName": volume, "resources": {"requests": {"storage": "1Gi"}}}
    labels = {OFFERS: platform} if platform else {VOLUME: MODEL} if model else {}
    metadata = {"name": claim, "namespace": NAMESPACE, "labels": labels}
    spoke.kubernetes.apply({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": asked})


def until_phase(fleet: OwnFleet, name: str, phase: str, seconds: float, namespace: str = USERS) -> Object:
    """What the federation says of itself once it is in this phase.

    Raises:
        Failed: it is not in time.
        AssertionError: it has failed.
    """

    def told() -> Object:
        said = status(fleet, name, namespace)
        assert said.get("phase") != "Failed", said["message"]
        return said

    return until(f"{name} is {phase}", told, seconds, so=lambda said: said.get("phase") == phase)
