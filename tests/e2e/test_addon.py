"""The add-on on real OCM: its manager works on the hub with the rights of hub/deploy and no others; its agent runs on spokes."""

import base64
import logging
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from kubernetes import config

from fedspoke.api import parse
from fedspoke.api.base import Object
from fedspoke.api.names import ADDON, MODEL, SIGNER, VOLUME, identity
from fedspoke.hub.addon import manager
from fedspoke.hub.addon.registration import KUBE_CLIENT
from fedspoke.kube.client import Kubernetes as Client
from fedspoke.manifestworks.collaborator import CA_CONFIG_MAP, CERTIFICATE_SECRET, NAMESPACE, Hub, Spoke, collaborator
from fedspoke.manifestworks.work import manifest_work
from support import build
from support.addon import csr, request
from support.fleet import images, ocm
from support.fleet.addon import Manager, conditions, installed, is_well
from support.fleet.fleet import Fleet, Member
from support.fleet.kubernetes import POD, REQUEST, Kind, Kubernetes
from support.fleet.wait import until

HEARD = 30
"""Seconds within which the hub hears why a collaborator does not run."""
_SECONDS = 180

SECRET, CONFIG_MAP, DEPLOYMENT = Kind("v1", "secrets"), Kind("v1", "configmaps"), Kind("apps/v1", "deployments")
NAMESPACES = Kind("v1", "namespaces", namespaced=False)

log = logging.getLogger(__name__)


@pytest.fixture(scope="module")
def addon(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Manager]:
    with installed(fleet, tmp_path_factory.mktemp("manager")) as at_work:
        yield at_work


def test_the_add_on_is_available_on_both_spokes(addon: Manager, fleet: Fleet) -> None:
    for spoke in fleet.spokes:
        until(f"the add-on on {spoke.name}", partial(conditions, fleet, spoke), _SECONDS, so=is_well)


def test_each_spoke_has_a_certificate_of_its_own_name(addon: Manager, fleet: Fleet) -> None:
    trust = addon.trust()
    for spoke in fleet.spokes:
        secret = until(
            f"the certificate of {spoke.name}", partial(spoke.kubernetes.get, SECRET, CERTIFICATE_SECRET, NAMESPACE), _SECONDS
        )
        certificate = x509.load_pem_x509_certificate(base64.b64decode(secret["data"]["tls.crt"]))
        certificate.verify_directly_issued_by(trust.authority.certificate)
        extensions = certificate.extensions
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert certificate.subject.rfc4514_string() == f"CN={spoke.name},O={ADDON}"
        assert list(names) == [x509.UniformResourceIdentifier(identity(trust.hub, spoke.name))]
        usage = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
        bundle = spoke.kubernetes.get(CONFIG_MAP, CA_CONFIG_MAP, NAMESPACE)["data"]["ca.crt"]
        assert bundle.encode() == trust.bundle


def test_a_hub_where_nothing_changes_is_not_written_to(addon: Manager, fleet: Fleet) -> None:
    until("nothing is left to do", addon.look, _SECONDS, so=[].__eq__)
    works = [fleet.hub.kubernetes.get(ocm.WORK, "addon-federated-learning-deploy-0", each.name) for each in fleet.spokes]
    assert [addon.look() for _ in range(5)] == [[]] * 5
    again = [fleet.hub.kubernetes.get(ocm.WORK, "addon-federated-learning-deploy-0", each.name) for each in fleet.spokes]
    assert [it["metadata"]["generation"] for it in again] == [it["metadata"]["generation"] for it in works]


@pytest.mark.parametrize("signer", [SIGNER, KUBE_CLIENT])
def test_a_spokes_agent_that_asks_for_anothers_name_is_denied_with_the_reason(
    addon: Manager, fleet: Fleet, signer: str, tmp_path: Path
) -> None:
    mine, other = (spoke.name for spoke in fleet.spokes)
    klusterlet = _known_as(fleet.spokes[0], "hub-kubeconfig-secret", "open-cluster-management-agent", tmp_path)
    asked = request(mine, signer, named=other)
    asked["metadata"] = {"generateName": f"addon-{mine}-", "labels": asked["metadata"]["labels"]}
    filed = klusterlet.create({key: asked[key] for key in ("apiVersion", "kind", "metadata", "spec")})
    (said,) = until(
        "the request is answered", partial(_answer, fleet.hub.kubernetes, filed["metadata"]["name"]), _SECONDS, so=bool
    )
    assert said["type"] == "Denied"
    assert f"an agent of {mine} asks for the name CN=" in said["message"]


def test_a_spokes_agent_with_an_honest_name_and_a_second_one_is_denied(addon: Manager, fleet: Fleet, tmp_path: Path) -> None:
    mine = fleet.spokes[0].name
    klusterlet = _known_as(fleet.spokes[0], "hub-kubeconfig-secret", "open-cluster-management-agent", tmp_path)
    asked = request(mine, der=csr(mine, [ADDON], [x509.DNSName("gateway.example")]))
    asked["metadata"] = {"generateName": f"addon-{mine}-"}
    filed = klusterlet.create({key: asked[key] for key in ("apiVersion", "kind", "metadata", "spec")})
    (said,) = until(
        "the request is answered", partial(_answer, fleet.hub.kubernetes, filed["metadata"]["name"]), _SECONDS, so=bool
    )
    assert said["type"] == "Denied"
    assert f"{mine} asks for the alternative names gateway.example" in said["message"]


def test_an_agent_may_write_the_numbers_of_its_own_score_and_nothing_else(addon: Manager, fleet: Fleet, tmp_path: Path) -> None:
    spoke, other = fleet.spokes
    agent = _known_as(spoke, f"{ADDON}-hub-kubeconfig", NAMESPACE, tmp_path)
    agent.merge(_score(spoke.name), {"status": {"scores": [{"name": "gpusFree", "value": 1}]}}, "status")
    for forbidden in (
        partial(agent.apply, _score(spoke.name)),
        partial(agent.merge, _score(other.name), {"status": {"scores": []}}, "status"),
        partial(agent.apply, _score(spoke.name) | {"metadata": {"name": "resource-usage-score", "namespace": spoke.name}}),
        partial(agent.all, manager.MANAGED_CLUSTER_ADDON, spoke.name),
        partial(agent.get, manager.CERTIFICATE_REQUEST, "any"),
    ):
        with pytest.raises(Exception, match="forbidden"):
            forbidden()


def test_why_a_collaborator_does_not_run_is_on_the_hub_within_half_a_minute(addon: Manager, fleet: Fleet) -> None:
    spoke = fleet.spokes[0]
    until(f"the add-on on {spoke.name}", partial(conditions, fleet, spoke), _SECONDS, so=is_well)
    gpu = {"resources": {"limits": {"nvidia.com/gpu": "1"}}}
    runs = {
        "no-gpu": (_work("no-gpu", spoke.name, client=gpu), "no node has enough nvidia.com/gpu free: "),
        "no-image": (
            _work("no-image", spoke.name, image="localhost/none:1"),
            "the image localhost/none:1 of gateway cannot be had (",
        ),
        "no-volume": (
            _work("no-volume", spoke.name, training={"model": {"name": "/model", "claimName": "model"}}),
            "a volume claim is not bound, of model: ",
        ),
        "no-offer": (
            _work("no-offer", spoke.name, datasets={"facebook": "/data/facebook"}),
            "no data of facebook is offered on this cluster: ",
        ),
    }
    works = [work for work, _ in runs.values()]
    with spoke.kubernetes.temporarily(_claim("model")), fleet.hub.kubernetes.temporarily(*works):
        for name in runs.keys() - {"no-offer"}:
            until(f"the pod of {name}", partial(_pods, spoke, name), _SECONDS, so=bool)
        began = time.monotonic()
        for name, (_, says) in runs.items():
            heard = until(f"the hub hears of {name}", partial(_heard, fleet, spoke, name), HEARD, so=lambda it: it.get("reason"))
            log.info("%s after %.1f s: %s", name, time.monotonic() - began, heard)
            assert heard["phase"] == ("Refused" if name == "no-offer" else "Pending")
            assert str(heard["reason"]).startswith(says)
        assert time.monotonic() - began < HEARD
    for name in runs:
        until(f"{name} is gone from the spoke", partial(_pods, spoke, name), _SECONDS, so=[].__eq__)


def test_what_forbids_a_collaborators_pod_is_on_the_hub_within_half_a_minute(addon: Manager, fleet: Fleet) -> None:
    spoke = fleet.spokes[0]
    until(f"the add-on on {spoke.name}", partial(conditions, fleet, spoke), _SECONDS, so=is_well)
    metadata = {"name": "none", "namespace": NAMESPACE}
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": {"hard": {"pods": "0"}}}
    with spoke.kubernetes.temporarily(quota), fleet.hub.kubernetes.temporarily(_work("no-room", spoke.name)):
        heard = until("the hub hears why", partial(_heard, fleet, spoke, "no-room"), HEARD, so=lambda it: it.get("reason"))
    assert str(heard["reason"]).startswith('its pod cannot be made: pods "default.no-room-')
    assert " is forbidden: exceeded quota: none, " in str(heard["reason"])


def test_when_the_add_on_is_taken_away_nothing_of_it_stays(addon: Manager, fleet: Fleet) -> None:
    hub = fleet.hub.kubernetes
    hub.delete(ocm.MANAGEMENT_ADDON, ADDON)
    until("no add-on is left on the hub", partial(hub.all, ocm.ADDON), _SECONDS, so=[].__eq__)
    for spoke in fleet.spokes:
        until(f"no work is left for {spoke.name}", partial(hub.all, ocm.WORK, spoke.name), _SECONDS, so=[].__eq__)
        until(f"no agent is left on {spoke.name}", partial(spoke.kubernetes.all, DEPLOYMENT, NAMESPACE), _SECONDS, so=[].__eq__)
        names = {it["metadata"]["name"] for kind in (SECRET, CONFIG_MAP) for it in spoke.kubernetes.all(kind, NAMESPACE)}
        assert CA_CONFIG_MAP not in names
        assert spoke.kubernetes.get(NAMESPACES, NAMESPACE)["status"]["phase"] == "Active"


def _known_as(spoke: Member, secret: str, namespace: str, folder: Path) -> Client:
    """The hub, asked as whoever a Secret on the spoke tells."""
    found = until(f"{spoke.name} has {secret}", partial(spoke.kubernetes.get, SECRET, secret, namespace), _SECONDS)
    for name, content in found["data"].items():
        (folder / name).write_bytes(base64.b64decode(content))
    return Client(config.new_client_from_config(str(folder / "kubeconfig")))


def _answer(hub: Kubernetes, name: str) -> list[Object]:
    found: list[Object] = hub.get(REQUEST, name).get("status", {}).get("conditions", [])
    return found


def _score(cluster: str) -> Object:
    kind = {"apiVersion": "cluster.open-cluster-management.io/v1alpha1", "kind": "AddOnPlacementScore"}
    return kind | {"metadata": {"name": ADDON, "namespace": cluster}}


def _claim(name: str) -> Object:
    """A claim that nothing provides a volume for."""
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "900Gi"}}, "storageClassName": ""}
    metadata = {"name": name, "namespace": NAMESPACE, "labels": {VOLUME: MODEL}}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}


def _work(name: str, cluster: str, *, image: str = images.TESTS, datasets: Any = None, **spec: Any) -> Object:
    fl = parse.federated_learning(build.federated_learning(name=name, **spec))
    gateway = Hub(address="192.0.2.7", port=30443)
    return manifest_work(fl, cluster, collaborator(fl, Spoke(cluster=cluster, datasets=datasets or {}), gateway, image))


def _pods(spoke: Member, name: str) -> list[Object]:
    return spoke.kubernetes.all(POD, NAMESPACE, f"federation-ai.open-cluster-management.io/federated-learning=default.{name}")


def _heard(fleet: Fleet, spoke: Member, name: str) -> dict[str, object]:
    status = fleet.hub.kubernetes.get(ocm.WORK, f"default.{name}", spoke.name).get("status", {})
    manifests = status.get("resourceStatus", {}).get("manifests", [])
    values = [each for it in manifests for each in it.get("statusFeedback", {}).get("values", [])]
    return {each["name"]: each["fieldValue"].get("string") for each in values}
