"""Whose the volume is, and where in it the model is."""

import pytest

from fedspoke.api.base import Object
from fedspoke.hub.controller import kinds
from support.hub import FL, NAMESPACE, Hub


def claim(size: str = "5Gi", **labels: str) -> Object:
    spec = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": size}}}
    metadata = {"name": "models", "namespace": NAMESPACE, "labels": labels}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}


def stored(**storage: str) -> Hub:
    return Hub.running(server=server(**storage))


def server(**storage: str) -> Object:
    return {"minAvailableClients": 2, "storage": storage}


def found(hub: Hub, name: str) -> Object:
    return hub.kube.objects[*kinds.CLAIM, NAMESPACE, name]


def mounts(hub: Hub) -> dict[str, tuple[str, ...]]:
    """Container → the sub paths of the volume that it sees."""
    pod = hub.kube.objects[*kinds.DEPLOYMENT, NAMESPACE, f"{FL}-aggregator"]["spec"]["template"]["spec"]
    return {
        it["name"]: tuple(mount.get("subPath", "") for mount in it["volumeMounts"] if mount["name"] == "model")
        for it in pod["containers"]
    }


def test_a_claim_without_a_name_goes_with_its_federation():
    hub = stored(size="7Gi")
    made = found(hub, f"{FL}-aggregator")
    assert made["spec"]["resources"]["requests"]["storage"] == "7Gi"
    assert [it["uid"] for it in made["metadata"]["ownerReferences"]] == [hub.federation()["metadata"]["uid"]]


def test_a_claim_that_is_named_is_made_if_there_is_none_and_is_nobodys_to_take_away():
    hub = stored(name="models", size="7Gi")
    made = found(hub, "models")
    assert made["spec"]["resources"]["requests"]["storage"] == "7Gi"
    assert "ownerReferences" not in made["metadata"]
    assert hub.names(kinds.CLAIM) == ["models"]
    hub.writes()
    hub.converge()
    assert hub.writes() == []
    hub.completes()
    assert hub.has(kinds.CLAIM, "models")


def test_a_claim_that_is_named_and_there_is_used_as_it_is():
    hub = Hub.with_federation(claim(mine="true"), server=server(name="models", size="50Gi"))
    before = found(hub, "models")
    hub.choose("berlin", "lyon")
    hub.settle()
    assert found(hub, "models") == before
    pod = hub.kube.objects[*kinds.DEPLOYMENT, NAMESPACE, f"{FL}-aggregator"]["spec"]["template"]["spec"]
    assert {"name": "model", "persistentVolumeClaim": {"claimName": "models"}} in pod["volumes"]


def test_a_claim_that_is_named_and_deleted_comes_back():
    hub = stored(name="models")
    del hub.kube.objects[*kinds.CLAIM, NAMESPACE, "models"]
    hub.settle()
    assert hub.has(kinds.CLAIM, "models")


@pytest.mark.parametrize(
    ("path", "folder"), [("/social", "social"), ("social/2026/", "social/2026"), ("//data/./models", "data/models")]
)
def test_a_path_is_the_folder_in_the_volume_that_the_pod_sees_and_the_status_tells(path: str, folder: str):
    hub = stored(name="models", path=path)
    assert mounts(hub) == {"gateway": (), "aggregator": (folder,), "fusion": (folder,), "reporter": (folder,)}
    hub.completes()
    assert hub.status()["model"]["uri"] == f"pvc://{NAMESPACE}/models/{folder}/global/adapter_model.safetensors"
    assert hub.status()["profile"]["uri"] == f"pvc://{NAMESPACE}/models/{folder}/general_profile.json"


@pytest.mark.parametrize("path", ["", "/", "."])
def test_a_path_that_names_the_volumes_root_is_none(path: str):
    assert mounts(stored(path=path))["aggregator"] == ("",)
