"""What an upload makes on a cluster, and what it says while it waits."""

from pathlib import Path

import pytest

from fedspoke.api.errors import Refused
from fedspoke.api.names import UPLOADED
from fedspoke.api.names import VOLUME as LABEL
from fedspoke.kube.client import Kind
from fedspoke.manifestworks.collaborator import NAMESPACE
from fedspoke.upload.content import Content
from fedspoke.upload.session import Target, upload
from support.kube import Lists
from support.pods import unscheduled
from support.uploads import Owner, content, nothing, there

CLAIM, POD, VOLUME = Kind("v1", "PersistentVolumeClaim"), Kind("v1", "Pod"), Kind("v1", "PersistentVolume")
TARGET = Target(claim="facebook-data", least=10)


@pytest.fixture
def posts(tmp_path: Path) -> Content:
    return content(tmp_path / "export", **{"posts.json": b"[1]" * 100})


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    (tmp_path / "volume").mkdir()
    return tmp_path / "volume"


def test_a_claim_is_made_and_filled_and_says_with_what_and_the_pod_goes(volume: Path, posts: Content):
    kube = Owner(volume)
    upload(kube, TARGET, posts, nothing, nothing)
    (claim,) = kube.all(CLAIM, NAMESPACE)
    assert claim["spec"] == {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}}
    assert claim["metadata"]["annotations"] == {UPLOADED: posts.manifest.digest}
    assert there(volume) == {"posts.json": b"[1]" * 100}
    assert kube.all(POD) == []


def test_a_line_that_is_cut_is_taken_up_again(volume: Path, posts: Content):
    said: list[str] = []
    kube = Owner(volume, most=[len(posts.manifest.model_dump_json()) + 101])
    upload(kube, TARGET, posts, nothing, said.append)
    assert [it[1:] for it in kube.commands] == 2 * [("fedspoke", "receive", "/volume")]
    assert "the line was cut; it goes on in 1 s" in said
    assert there(volume) == {"posts.json": b"[1]" * 100}


def test_a_wait_says_what_for_and_until_when(volume: Path, posts: Content):
    said: list[str] = []
    unbound = unscheduled("0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.")["status"]
    upload(Owner(volume, unbound), TARGET, posts, nothing, said.append)
    (waits,) = [it for it in said if "waiting" in it]
    assert "to run, 600 s at most: a volume claim is not bound" in waits


def test_a_claim_that_is_there_stays_as_it_is(volume: Path, posts: Content):
    kube = Owner(volume)
    metadata = {"name": "facebook-data", "namespace": NAMESPACE}
    kube.keep({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": {"volumeName": "mine"}})
    said: list[str] = []
    upload(kube, Target(claim="facebook-data", least=10, storage_class="fast"), posts, nothing, said.append)
    assert [it["spec"] for it in kube.all(CLAIM)] == [{"volumeName": "mine"}]
    assert "the claim facebook-data is there already, and stays as it is" in said


def test_a_host_path_is_a_volume_for_this_claim_alone(volume: Path, posts: Content):
    kube = Owner(volume)
    upload(kube, Target(claim="facebook-data", least=10, host_path="/srv/posts"), posts, nothing, nothing)
    (made,) = kube.all(VOLUME)
    assert made["spec"]["hostPath"]["path"] == "/srv/posts"
    assert made["spec"]["claimRef"]["name"] == "facebook-data"
    assert [it["spec"]["volumeName"] for it in kube.all(CLAIM)] == [made["metadata"]["name"]]


def test_a_host_path_is_refused_where_there_are_several_nodes(volume: Path, posts: Content):
    kube = Owner(volume)
    for name in ("a", "b"):
        kube.keep({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}})
    with pytest.raises(Refused, match="for a cluster of one node"):
        upload(kube, Target(claim="facebook-data", least=10, host_path="/srv/posts"), posts, nothing, nothing)
    assert kube.writes == []


def test_a_model_goes_into_a_folder_of_its_volume(volume: Path, posts: Content):
    kube = Owner(volume)
    upload(kube, Target(claim="model", folder="llava", least=50, model=True), posts, nothing, nothing)
    assert [it[1:] for it in kube.commands] == [("fedspoke", "receive", "/volume/llava")]
    assert there(volume / "llava") == {"posts.json": b"[1]" * 100}
    assert [it["metadata"]["labels"][LABEL] for it in kube.all(CLAIM)] == ["model"]


def test_a_cluster_without_the_add_on_is_refused(posts: Content):
    kube = Lists()
    with pytest.raises(Refused, match="enable the add-on for this cluster on the hub"):
        upload(kube, TARGET, posts, nothing, nothing)
    assert kube.writes == []
