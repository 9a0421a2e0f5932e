"""From an upload to Completed by API servers alone: on a fleet of our own, and on any clusters that the environment names.

Volumes are folders of nodes, as for a start where there is no storage class; a pod that is root there makes each writable.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest

from fedspoke.api.base import Object
from fedspoke.api.names import FEDERATED_LEARNING, OFFERS, PLATFORMS, posts_claim, run_name
from fedspoke.local import demo
from fedspoke.manifestworks.collaborator import NAMESPACE
from support import build
from support.fleet import images, ocm
from support.fleet.addon import conditions, is_well
from support.fleet.deployed import FEDERATION, as_controller, deploy
from support.fleet.federation import SPEC
from support.fleet.fleet import Fleet, Member
from support.fleet.kubernetes import JOB, POD, Kind, Rejected
from support.fleet.operator import operator
from support.fleet.wait import until

_SECONDS = 600
_USERS, _NAME = "anybody", "social"
_CLAIM, _VOLUME = Kind("v1", "persistentvolumeclaims"), Kind("v1", "persistentvolumes", namespaced=False)


@pytest.fixture(scope="module")
def ready(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """The add-on is on both spokes, and what their owners have uploaded is offered."""
    folder, place = tmp_path_factory.mktemp("any"), f"/var/lib/fedspoke-{uuid4().hex[:8]}"
    demo.write(folder / "example")
    hub = fleet.hub.kubernetes
    deploy(hub, but=["operator.yaml"])
    hub.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": _USERS}})
    with ExitStack() as stack:
        kubeconfig = as_controller(hub, fleet.hub.kubeconfig, folder)
        stack.enter_context(operator(kubeconfig, folder, agent=images.TESTS))
        for spoke in fleet.spokes:
            until(f"the add-on is on {spoke.name}", partial(conditions, fleet, spoke), _SECONDS, so=is_well)
        for spoke, platform in zip(fleet.spokes, PLATFORMS, strict=False):
            stack.enter_context(_folders(spoke, place, f"{platform}-data", "model"))
            exports, model = folder / "example/exports", folder / "example/model"
            _upload(spoke, exports / platform, "--platform", platform, "--host-path", f"{place}/{platform}-data")
            _upload(spoke, model, "--model", "tiny", "--host-path", f"{place}/model")
            for claim in (f"{platform}-data", "model"):
                stack.callback(_gone, spoke, claim)
            spoke.kubernetes.merge(_CLAIM, f"{platform}-data", {"metadata": {"labels": {OFFERS: platform}}}, NAMESPACE)
            until(f"the hub knows of {spoke.name}", partial(_claims, fleet, spoke), _SECONDS, so={posts_claim(platform)}.issubset)
        stack.enter_context(_folders(fleet.hub, place, "models"))
        hub.apply(_volume(f"{_USERS}-models", f"{place}/models", "models"))
        stack.callback(hub.delete, _VOLUME, f"{_USERS}-models")
        yield fleet


def test_what_owners_upload_and_offer_becomes_a_model_and_a_profile_and_deletion_leaves_nothing(ready: Fleet) -> None:
    hub = ready.hub.kubernetes
    server = SPEC["server"] | {"storage": {"name": "models", "size": "1Gi"}}
    spec = SPEC | {"server": server, "training": SPEC["training"] | {"model": {"name": "/model/tiny", "claimName": "model"}}}
    hub.apply(build.federated_learning(_NAME, _USERS, **spec))
    try:
        said = until("it has completed", partial(_status, ready), _SECONDS, so=lambda it: it.get("phase") == "Completed")
        assert {it["name"]: it["platform"] for it in said["clusters"]} == dict(
            zip((it.name for it in ready.spokes), PLATFORMS, strict=True)
        )
        assert said["rounds"] == {"completed": 3, "total": 3}
        assert said["model"]["digest"].startswith("sha256:")
        assert said["profile"]["digest"].startswith("sha256:")
    finally:
        hub.delete(FEDERATION, _NAME, _USERS)
        until("it has gone", lambda: _status(ready) == {}, _SECONDS)
        until("nothing of it is on the clusters", partial(_left, ready), _SECONDS, so=[].__eq__)
        hub.delete(_CLAIM, "models", _USERS)


@contextmanager
def _folders(member: Member, place: str, *names: str) -> Iterator[None]:
    """Folders of a cluster's node, writable for everybody."""
    paths = " ".join(f"/host{place.removeprefix('/var/lib')}/{name}" for name in names)
    _as_root(member, "made", f"mkdir -p {paths} && chmod 0777 {paths}")
    yield
    _as_root(member, "removed", f"rm -rf /host{place.removeprefix('/var/lib')}")


def _as_root(member: Member, what: str, script: str) -> None:
    name = f"folders-{what}-{uuid4().hex[:8]}"
    container: Object = {
        "name": "main",
        "image": images.TESTS,
        "command": ["sh", "-c", script],
        "securityContext": {"runAsUser": 0},
        "volumeMounts": [{"name": "host", "mountPath": "/host"}],
    }
    volume = {"name": "host", "hostPath": {"path": "/var/lib", "type": "Directory"}}
    spec = {"containers": [container], "restartPolicy": "Never", "volumes": [volume]}
    metadata = {"name": name, "namespace": "default"}
    with member.kubernetes.temporarily({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}):
        until(
            f"folders are {what}",
            lambda: member.kubernetes.get(POD, name, "default")["status"].get("phase"),
            _SECONDS,
            so="Succeeded".__eq__,
        )


def _volume(name: str, path: str, claim: str) -> Object:
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "capacity": {"storage": "1Gi"},
        "claimRef": {"namespace": _USERS, "name": claim},
        "hostPath": {"path": path, "type": "Directory"},
    }
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec}


def _upload(spoke: Member, path: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", "fedspoke.cli", "upload", *arguments, str(path)]
    environment = os.environ | {"KUBECONFIG": str(spoke.kubeconfig)}
    ended = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


def _gone(spoke: Member, claim: str) -> None:
    volume = spoke.kubernetes.get(_CLAIM, claim, NAMESPACE)["spec"]["volumeName"]
    spoke.kubernetes.delete(_CLAIM, claim, NAMESPACE)
    spoke.kubernetes.delete(_VOLUME, volume)


def _claims(fleet: Fleet, spoke: Member) -> list[str]:
    found = fleet.hub.kubernetes.get(ocm.CLUSTER, spoke.name)["status"].get("clusterClaims", [])
    return [it["name"] for it in found]


def _status(fleet: Fleet) -> Object:
    try:
        found: Object = fleet.hub.kubernetes.get(FEDERATION, _NAME, _USERS).get("status", {})
    except Rejected:
        return {}
    assert found.get("phase") != "Failed", found["message"]
    return found


def _left(fleet: Fleet) -> list[str]:
    ours = f"{FEDERATED_LEARNING}={run_name(_USERS, _NAME)}"
    jobs = [it["metadata"]["name"] for spoke in fleet.spokes for it in spoke.kubernetes.all(JOB, NAMESPACE, ours)]
    return jobs + [it["metadata"]["name"] for it in fleet.hub.kubernetes.all(POD, _USERS)]
