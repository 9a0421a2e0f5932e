"""What an owner offers, as the hub hears of it: counted on the spoke by its agent, carried by OCM, and never a byte of it."""

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from fedspoke.agent.declared import VALID
from fedspoke.agent.policy import POLICY
from fedspoke.agent.survey import AT_ONCE
from fedspoke.api import documents, parse
from fedspoke.api.base import Object
from fedspoke.api.names import ADDON, DOMAIN, GPU_MODEL_CLAIM, GPUS_CLAIM, OFFERS, data_claim, posts_claim
from fedspoke.local import demo
from fedspoke.manifestworks.collaborator import AGENT, COLLABORATOR, DATASETS, MODEL_HUB, NAMESPACE, Hub, Spoke, collaborator
from fedspoke.manifestworks.report import key_name
from fedspoke.manifestworks.work import manifest_work
from fedspoke.placement.objects import bindings, placement
from support import build
from support.fleet import federation, images, ocm
from support.fleet.addon import conditions, installed, is_well
from support.fleet.cluster import Cluster
from support.fleet.fleet import OwnFleet
from support.fleet.kubernetes import JOB, NODE, POD, Kind, Kubernetes, Rejected
from support.fleet.wait import until

OWNERS_WORD = Path(__file__).parents[2] / "addon-agent/deploy/owners-word.yaml"
_MINUTE = 60
_SECONDS = 180
_CLAIM, _DEPLOYMENT = Kind("v1", "persistentvolumeclaims"), Kind("apps/v1", "deployments")
_CONFIG_MAP = Kind("v1", "configmaps")
_ELSEWHERE = ({"nfs": {"server": "nas.example", "path": "/export"}}, {"csi": {"driver": "smb.csi.example"}})
"""Volumes of no claim, which a pod names itself."""

log = logging.getLogger(__name__)


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("example")
    demo.write(folder)
    return folder


@pytest.fixture(scope="module")
def spokes(own_fleet: OwnFleet, example: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnFleet]:
    """The add-on on two spokes; the first has a volume, of which nobody has been told."""
    with installed(own_fleet, tmp_path_factory.mktemp("manager")):
        for spoke in own_fleet.spokes:
            until(f"the add-on on {spoke.name}", partial(conditions, own_fleet, spoke), _SECONDS, so=is_well)
        federation.offer(own_fleet.spokes[0], "holiday", "holiday", example / "exports/facebook")
        yield own_fleet
        own_fleet.spokes[0].kubernetes.delete(_CLAIM, "holiday", NAMESPACE)


def test_what_is_offered_is_on_the_hub_within_a_minute_and_gone_within_another(spokes: OwnFleet) -> None:
    with _offered(spokes) as spoke:
        found = _claims(spokes, spoke)
        assert found[data_claim("facebook")] == "/data/facebook"
        assert int(found[posts_claim("facebook")]) > 5
        assert "holiday" not in str(found)
        scores = until(
            "the score is there", partial(_score, spokes, spoke), _MINUTE, so=lambda it: it.get("facebookPosts", -100) > -100
        )
        assert scores["gpusFree"] == -100


def test_a_folder_of_the_node_is_offered_by_a_config_map(spokes: OwnFleet, example: Path) -> None:
    spoke = spokes.spokes[1]
    federation.offer(spoke, "any", "folder", example / "exports/instagram")
    metadata = {"name": "on-the-node", "namespace": NAMESPACE, "labels": {OFFERS: "instagram"}}
    path = str(spoke.folder / "volumes/folder")
    with spoke.kubernetes.temporarily({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"path": path}}):
        found = until("the hub knows", partial(_claims, spokes, spoke), _MINUTE, so=lambda it: posts_claim("instagram") in it)
    assert found[data_claim("instagram")] == "/data/instagram"
    assert path not in str(found)
    spoke.kubernetes.delete(_CLAIM, "any", NAMESPACE)
    until("the hub has forgotten", partial(_claims, spokes, spoke), _MINUTE, so={}.__eq__)


def test_a_federation_that_asks_for_posts_and_a_gpu_gets_the_cluster_that_has_them(spokes: OwnFleet) -> None:
    hub = spokes.hub.kubernetes
    client = {
        "data": {"platforms": ["facebook"], "minPosts": 5},
        "resources": {"limits": {"nvidia.com/gpu": "1"}},
        "placement": {"clusterSets": ["global"]},
    }
    fl = parse.federated_learning(build.federated_learning("wants", client=client))
    with _offered(spokes) as spoke, hub.temporarily(*bindings(fl), placement(fl)):
        until("OCM has decided", partial(_decided, spokes, "wants"), _SECONDS, so=[].__eq__)
        with _gpus(spoke, 2):
            until("the cluster is chosen", partial(_decided, spokes, "wants"), _MINUTE, so=[spoke.name].__eq__)
            gpus = {GPUS_CLAIM: "2", GPU_MODEL_CLAIM: "NVIDIA-H200"}
            until("its GPUs are known", partial(_claims, spokes, spoke), _MINUTE, so=lambda it: gpus.items() <= it.items())
            until("both are free", partial(_score, spokes, spoke), _MINUTE, so=lambda it: it.get("gpusFree") == -80)
        until("it is chosen no more", partial(_decided, spokes, "wants"), _MINUTE, so=[].__eq__)


def test_what_an_agent_claimed_stays_when_it_is_killed_and_its_score_runs_out(spokes: OwnFleet) -> None:
    with _offered(spokes) as spoke:
        kube, before = spoke.kubernetes, _claims(spokes, spoke)
        until("the score is there", partial(_score, spokes, spoke), _MINUTE)
        agents = partial(kube.all, POD, NAMESPACE, "app.kubernetes.io/component=agent")
        kube.merge(_DEPLOYMENT, AGENT, {"spec": {"replicas": 0}}, NAMESPACE)
        try:
            until("no agent is left", agents, _SECONDS, so=[].__eq__)
            ends = datetime.fromisoformat(spokes.hub.kubernetes.get(ocm.SCORE, ADDON, spoke.name)["status"]["validUntil"])
            assert ends <= datetime.now(UTC) + VALID
            assert _claims(spokes, spoke) == before
        finally:
            kube.merge(_DEPLOYMENT, AGENT, {"spec": {"replicas": 1}}, NAMESPACE)
        until("an agent is back", agents, _SECONDS, so=bool)
        assert _claims(spokes, spoke) == before


def test_a_collaborator_mounts_what_is_offered_and_runs_as_long_as_the_owner_allows_it(spokes: OwnFleet) -> None:
    with _offered(spokes) as spoke:
        work = _work("asks", spoke, {"facebook": "/data/facebook"})
        with spoke.kubernetes.temporarily(_policy(federations="research/*")), spokes.hub.kubernetes.temporarily(work):
            said = until("the hub hears why", partial(_reason, spokes, spoke, "asks"), _MINUTE, so=bool)
            assert said == "the cluster's owner does not allow it: default/asks is none of the federations that it names"
            assert _pods(spoke, "asks") == []

            spoke.kubernetes.apply(_policy(federations="research/* default/asks", images=images.TESTS))
            (pod,) = until("it is started", partial(_pods, spoke, "asks"), _MINUTE, so=bool)
            claims = {it["name"]: it["persistentVolumeClaim"] for it in pod["spec"]["volumes"] if "persistentVolumeClaim" in it}
            assert claims == {"data-facebook": {"claimName": "holiday", "readOnly": True}}

            spoke.kubernetes.apply(_policy(federations="research/* default/asks", platforms="instagram"))
            until("it is ended", partial(_pods, spoke, "asks"), _SECONDS, so=[].__eq__)
            said = until("the hub hears why", partial(_reason, spokes, spoke, "asks"), _MINUTE, so=lambda it: "shared" in it)
            assert said == "the cluster's owner does not allow it: data of facebook is not shared"
            until("its posts are claimed no more", partial(_claims, spokes, spoke), _MINUTE, so={}.__eq__)


def test_where_the_owner_does_not_take_the_hubs_word_the_api_server_holds_it_to_the_policy(spokes: OwnFleet) -> None:
    with _offered(spokes) as spoke:
        hub = Kubernetes(spoke.service_account("klusterlet-work-sa", "open-cluster-management-agent"))
        owner, work = spoke.kubernetes, _work("asks", spoke, {"facebook": "/data/facebook"})
        with owner.temporarily(_policy(images=f"{images.TESTS}\nregistry.example.com/team/"), *documents.read(OWNERS_WORD)):
            evil = _pod("evil", "registry.example.com.evil.org/x")
            until("other images are refused", partial(_refused, owner, evil, "does not name an image"), _MINUTE, so=bool)
            other = _pod("evil", images.TESTS)
            until("so are other accounts", partial(_refused, owner, other, "no right to mount"), _MINUTE, so=bool)
            reader = _pod("evil", images.TESTS, data={"secret": {"secretName": key_name("default.asks")}})
            until("so are they for a key", partial(_refused, owner, reader, "no right to mount"), _MINUTE, so=bool)
            for elsewhere in _ELSEWHERE:
                pod = _pod("evil", images.TESTS, data=elsewhere)
                until(f"so are they for {elsewhere}", partial(_refused, owner, pod, "no right to mount"), _MINUTE, so=bool)
            for document, why in (
                # The first may be let in as long as the policy does not count yet, and is deleted then: it is nobody's.
                (_role("evil"), "who mounts a volume is the owner's to say"),
                (_policy(images="evil"), "the policy is the owner's"),
                (_policy() | {"metadata": {"name": MODEL_HUB, "namespace": NAMESPACE}}, "so is where models come from"),
                (_pod("evil", images.TESTS, COLLABORATOR), "the hub asks for data by a Job that is suspended"),
                *((_pod("evil", images.TESTS, COLLABORATOR, it), "the hub asks for data by a Job") for it in _ELSEWHERE),
                (_folder("evil", {OFFERS: "facebook"}), "folders are the owner's to offer"),
                (_deployment("evil"), "the hub asks for data by a Job that is suspended"),
                (_key("default.asks"), "keys are made on this cluster"),
            ):
                until(f"the hub is told: {why}", partial(_refused, hub, document, why), _MINUTE, so=bool)
            with owner.temporarily(_folder("mine", {}), _folder("offered", {OFFERS: "facebook"})):
                for name, change in (
                    ("mine", {"metadata": {"labels": {OFFERS: "facebook"}}}),
                    ("offered", {"data": {"path": "/x"}}),
                ):
                    with pytest.raises(Rejected, match="folders are the owner's to offer"):
                        hub.merge(_CONFIG_MAP, name, change, NAMESPACE)
            with spokes.hub.kubernetes.temporarily(work):
                until("what it asks for is started all the same", partial(_pods, spoke, "asks"), _MINUTE, so=bool)


def test_of_a_hundred_volumes_two_are_looked_at_at_once_and_the_agent_stays_small(spokes: OwnFleet, example: Path) -> None:
    spoke, most, names = spokes.spokes[1], 0, [f"album-{number}" for number in range(100)]

    def looked_at() -> int:
        nonlocal most
        jobs = spoke.kubernetes.all(JOB, NAMESPACE, "app.kubernetes.io/component=inspection")
        most = max(most, sum(bool(it["status"].get("active")) for it in jobs))
        return len(spoke.kubernetes.get(_CONFIG_MAP, DATASETS, NAMESPACE).get("data") or {})

    before = _megabytes(spoke)
    for name in names:
        federation.offer(spoke, name, name, example / "exports/instagram", "instagram")
    try:
        until("twenty of them are known", looked_at, 5 * _MINUTE, so=lambda known: known >= 20)
        after = _megabytes(spoke)
    finally:
        for name in names:
            spoke.kubernetes.delete(_CLAIM, name, NAMESPACE)
    log.info("the agent takes %.1f MB, and %.1f with a hundred offers", before, after)
    assert most == AT_ONCE
    assert after < min(100, before + 10)
    until("the hub has forgotten", partial(_claims, spokes, spoke), _MINUTE, so={}.__eq__)


def test_when_the_add_on_is_taken_away_its_claims_go(spokes: OwnFleet) -> None:
    with _offered(spokes) as spoke:
        spokes.hub.kubernetes.delete(ocm.MANAGEMENT_ADDON, ADDON)
        until(
            "nothing is claimed",
            partial(spoke.kubernetes.all, ocm.CLAIM, None, f"app.kubernetes.io/managed-by={ADDON}"),
            _SECONDS,
            so=[].__eq__,
        )


@contextmanager
def _offered(fleet: OwnFleet) -> Iterator[Cluster]:
    """The first spoke, whose owner offers the volume for the length of the block."""
    spoke = fleet.spokes[0]
    began = time.monotonic()
    _label(spoke, "facebook")
    until("the hub knows", partial(_claims, fleet, spoke), _MINUTE, so=lambda it: posts_claim("facebook") in it)
    log.info("claimed after %.1f s", time.monotonic() - began)
    try:
        yield spoke
    finally:
        _label(spoke, None)
        began = time.monotonic()
        until("the hub has forgotten", partial(_claims, fleet, spoke), _MINUTE, so={}.__eq__)
        log.info("forgotten after %.1f s", time.monotonic() - began)


def _label(spoke: Cluster, platform: str | None) -> None:
    spoke.kubernetes.merge(_CLAIM, "holiday", {"metadata": {"labels": {OFFERS: platform}}}, NAMESPACE)


@contextmanager
def _gpus(spoke: Cluster, count: int) -> Iterator[None]:
    """So many GPUs on the spoke's node, as its device plugin and its labeller would say."""
    (node,) = spoke.kubernetes.all(NODE)
    name = node["metadata"]["name"]

    def say(amount: str | None, model: str | None) -> None:
        spoke.kubernetes.merge(NODE, name, {"metadata": {"labels": {"nvidia.com/gpu.product": model}}})
        has = {"nvidia.com/gpu": amount}
        spoke.kubernetes.merge(NODE, f"{name}/status", {"status": {"capacity": has, "allocatable": has}})

    say(str(count), "NVIDIA-H200")
    try:
        yield
    finally:
        say(None, None)


def _megabytes(spoke: Cluster) -> float:
    """That its agent has in memory."""
    ours = {sys.executable, "agent", spoke.name}
    there = psutil.Process(spoke.machine.pid).children(recursive=True)  # another fleet has a spoke of this name, too
    (agent,) = (it for it in there if ours <= set(_command(it)))
    return float(agent.memory_info().rss) / 1e6


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:  # it has just ended
        return []


def _claims(fleet: OwnFleet, spoke: Cluster) -> dict[str, str]:
    """Ours, of the spoke, as the hub has them."""
    found = fleet.hub.kubernetes.get(ocm.CLUSTER, spoke.name)["status"].get("clusterClaims", [])
    return {it["name"]: it["value"] for it in found if it["name"].endswith(DOMAIN)}


def _score(fleet: OwnFleet, spoke: Cluster) -> dict[str, int]:
    try:
        found = fleet.hub.kubernetes.get(ocm.SCORE, ADDON, spoke.name)
    except Rejected:
        return {}
    return {it["name"]: it["value"] for it in found.get("status", {}).get("scores", [])}


def _decided(fleet: OwnFleet, name: str) -> list[str]:
    found = fleet.hub.kubernetes.all(ocm.DECISION, "default", f"cluster.open-cluster-management.io/placement={name}")
    return [each["clusterName"] for it in found for each in it.get("status", {}).get("decisions", [])]


def _policy(**data: str) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": POLICY, "namespace": NAMESPACE}, "data": data}


def _work(name: str, spoke: Cluster, datasets: Any) -> Object:
    fl = parse.federated_learning(build.federated_learning(name=name))
    objects = collaborator(fl, Spoke(cluster=spoke.name, datasets=datasets), Hub(address="192.0.2.7", port=30443), images.TESTS)
    return manifest_work(fl, spoke.name, objects)


def _refused(kube: Kubernetes, document: Object, why: str) -> bool:
    """Whether an object is not let in, for a reason; one that is let in goes again."""
    try:
        kube.apply(document)
    except Rejected as no:
        return why in str(no)
    metadata = document["metadata"]
    kube.delete(Kind(document["apiVersion"], f"{document['kind'].lower()}s"), metadata["name"], metadata["namespace"])
    return False


def _pod(name: str, image: str, account: str = "default", data: Object | None = None) -> Object:
    """One that mounts what is offered, or something else of the owner's."""
    volume = {"name": "data"} | (data or {"persistentVolumeClaim": {"claimName": "holiday"}})
    spec = {"containers": [{"name": "main", "image": image}], "serviceAccountName": account, "volumes": [volume]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": NAMESPACE}, "spec": spec}


def _folder(name: str, labels: dict[str, str]) -> Object:
    """A ConfigMap that names a folder of the node; with a platform's label it is offered."""
    metadata = {"name": name, "namespace": NAMESPACE, "labels": labels}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"path": "/data/none"}}


def _key(run: str) -> Object:
    """One that the hub knows."""
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": key_name(run), "namespace": NAMESPACE}}


def _deployment(name: str) -> Object:
    """The same, of a pod that is made later."""
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": _pod(name, images.TESTS)["spec"]}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": NAMESPACE}, "spec": spec}


def _role(name: str) -> Object:
    """Whoever has it may mount what is offered."""
    rules = [{"apiGroups": [""], "resources": ["persistentvolumeclaims"], "verbs": ["mount"]}]
    metadata = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata, "rules": rules}


def _pods(spoke: Cluster, name: str) -> list[Object]:
    return spoke.kubernetes.all(POD, NAMESPACE, f"{DOMAIN}/federated-learning=default.{name}")


def _reason(fleet: OwnFleet, spoke: Cluster, name: str) -> str:
    status = fleet.hub.kubernetes.get(ocm.WORK, f"default.{name}", spoke.name).get("status", {})
    manifests = status.get("resourceStatus", {}).get("manifests", [])
    values = [each for it in manifests for each in it.get("statusFeedback", {}).get("values", [])]
    return next((each["fieldValue"].get("string", "") for each in values if each["name"] == "reason"), "")
