"""What hub/deploy installs: it is complete, hardened, and lets the controller do what it does and nothing else."""

from collections.abc import Iterable
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from pydantic.alias_generators import to_camel

from fedspoke.api import documents
from fedspoke.api.base import Api, Object
from fedspoke.api.federated_learning import MAY_CHANGE, Client, FederatedLearningSpec, Server
from fedspoke.api.names import RETRY
from fedspoke.hub.addon import authority, manager
from fedspoke.hub.controller import kinds
from fedspoke.manifestworks.collaborator import HARDENED, UNPRIVILEGED
from support.addon import cluster, enabled, request
from support.hub import FL, NOW, Hub
from support.kube import Lists, Right

DEPLOY = Path(__file__).parents[3] / "hub/deploy"
KUSTOMIZATION = yaml.safe_load((DEPLOY / "kustomization.yaml").read_text())
INSTALLED = [it for file in KUSTOMIZATION["resources"] for it in documents.read(DEPLOY / file)]

_FLEARN, _OCM = "federation-ai.open-cluster-management.io", "cluster.open-cluster-management.io"

BESIDES = {
    ("watch", _FLEARN, "federatedlearnings"): "kopf",
    ("list", _FLEARN, "federatedlearnings"): "kopf",
    ("watch", _OCM, "placementdecisions"): "kopf",
    ("watch", "work.open-cluster-management.io", "manifestworks"): "kopf",
    ("watch", "apps", "deployments"): "kopf",
    ("watch", "", "configmaps"): "kopf",
    ("watch", "", "services"): "kopf",
    ("list", "addon.open-cluster-management.io", "managedclusteraddons"): "kopf",
    ("watch", "addon.open-cluster-management.io", "managedclusteraddons"): "kopf",
    ("list", "certificates.k8s.io", "certificatesigningrequests"): "kopf",
    ("watch", "certificates.k8s.io", "certificatesigningrequests"): "kopf",
    ("list", "apiextensions.k8s.io", "customresourcedefinitions"): "kopf",
    ("watch", "apiextensions.k8s.io", "customresourcedefinitions"): "kopf",
    ("get", "", "configmaps"): "the reporter's Role grants it, and nobody may grant what he does not have",
    ("update", _FLEARN, "federatedlearnings/finalizers"): "OpenShift asks it of whoever makes a federation an owner",
    ("delete", _OCM, "managedclustersetbindings"): "OpenShift asks it of whoever adds an owner; no call is made",
    ("create", _OCM, "managedclustersets/bind"): "OCM's webhook asks it of whoever binds a cluster set",
}
"""What is granted although `converge` does not call it, and for whom."""

BESIDES_FOR_ADDONS = {
    ("patch", _OCM, "addonplacementscores/status"): "the agents' Roles grant it",
    ("update", "addon.open-cluster-management.io", "managedclusteraddons/finalizers"): "OpenShift asks it, as above",
    ("approve", "certificates.k8s.io", "signers"): "the API server asks it of whoever approves",
    ("sign", "certificates.k8s.io", "signers"): "the API server asks it of whoever signs",
}
"""The same of the add-on's part."""


def named(kind: str, name: str) -> Object:
    (found,) = [it for it in INSTALLED if (it["kind"], it["metadata"]["name"]) == (kind, name)]
    return found


def test_every_file_is_installed():
    assert sorted(KUSTOMIZATION["resources"]) == sorted(
        it.name for it in DEPLOY.glob("*.yaml") if it.name != "kustomization.yaml"
    )
    assert set(KUSTOMIZATION) == {"apiVersion", "kind", "resources"}


def test_every_field_of_a_federation_is_free_to_change_in_a_run_or_refused():
    policy = named("ValidatingAdmissionPolicy", "fedspoke-changes")["spec"]
    compared = [it["expression"].removeprefix("object.").split(" == oldObject.") for it in policy["validations"]]
    assert all(new == old for new, old in compared)
    refused = {new.replace(".?", ".").removeprefix("?") for new, _ in compared}
    free = {f"spec.{name}" for name in ("deadline", "suspend", "ttlSecondsAfterFinished", "client.placement", "client.data")}
    free |= {f"spec.server.{to_camel(name)}" for name in MAY_CHANGE}
    parts: dict[str, type[Api]] = {"spec": FederatedLearningSpec, "spec.server": Server, "spec.client": Client}
    fields = {f"{where}.{to_camel(name)}" for where, model in parts.items() for name in model.model_fields} - parts.keys()
    assert (refused | free, refused & free) == (fields, set())


FOR_PEOPLE = {("ClusterRole", "fedspoke:view"), ("ClusterRole", "fedspoke:edit")}


def test_every_role_but_those_for_people_is_bound_to_the_service_account_and_no_other():
    roles = {(it["kind"], it["metadata"]["name"]) for it in INSTALLED if it["kind"] in ("Role", "ClusterRole")} - FOR_PEOPLE
    bound = [it for it in INSTALLED if it["kind"] in ("RoleBinding", "ClusterRoleBinding")]
    assert {(it["roleRef"]["kind"], it["roleRef"]["name"]) for it in bound} == roles
    account = {"kind": "ServiceAccount", "name": "fedspoke", "namespace": "fedspoke"}
    assert all(it["subjects"] == [account] for it in bound)


def test_the_controller_runs_hardened_and_is_asked_whether_it_is_well():
    pod = named("Deployment", "fedspoke-operator")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"] == UNPRIVILEGED
    assert container["securityContext"] == HARDENED
    assert container["livenessProbe"]["httpGet"]["path"] == container["startupProbe"]["httpGet"]["path"] == "/healthz"


@pytest.fixture(scope="module")
def used() -> set[tuple[str, str, str]]:
    """(verb, group, resource with its subresource) of all that converge calls, from creation to end in each way."""
    hubs = [Hub.running(ttlSecondsAfterFinished=60), Hub.running()]
    hubs[0].pod({"phase": "Pending"}, "pod2")
    hubs[0].converge()
    hubs[0].fails()
    hubs[0].annotate(**{RETRY: "true"})
    hubs[0].settle()
    hubs[0].completes()
    hubs[0].converge(timedelta(hours=1))
    hubs[1].asks(suspend=True)
    hubs[1].settle()
    hubs[1].kube.delete(hubs[1].federation())
    hubs[1].kube.rights.discard(("delete", kinds.FEDERATED_LEARNING, ""))
    hubs[1].converge()
    assert not hubs[1].has(kinds.FEDERATED_LEARNING, FL)
    return _as_granted(right for hub in hubs for right in hub.kube.rights)


def test_the_controller_may_do_what_it_does_and_nothing_else(used):
    assert granted("fedspoke:operator") == used | BESIDES.keys()
    assert not used & BESIDES.keys()


def test_the_add_ons_part_may_do_what_it_does_and_nothing_else():
    hubs = [Lists(cluster(), enabled(), it) for it in (request(), request(named="c2"))]
    system = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system", "uid": "hub"}}
    hubs[0].keep(system)
    for now in (NOW, NOW + authority.LIFETIME):  # made, and renewed
        trust = authority.trust(hubs[0], "fedspoke", now)
    for hub in hubs:
        manager.converge(hub, trust, "fedspoke-agent:0.1.0", now)
    used = _as_granted(right for hub in hubs for right in hub.rights)
    in_its_own_namespace = granted("fedspoke:authority", "Role")
    assert in_its_own_namespace == {it for it in used if it[2] == "secrets"}
    assert granted("fedspoke:addon-manager") == used - in_its_own_namespace | BESIDES_FOR_ADDONS.keys()
    assert not used & BESIDES_FOR_ADDONS.keys()


def test_its_images_are_of_this_version():
    (container,) = named("Deployment", "fedspoke-operator")["spec"]["template"]["spec"]["containers"]
    images = [container["image"], *(it["value"] for it in container["env"] if it["name"].startswith("RELATED_IMAGE_"))]
    assert images == [f"fedspoke-{it}:{version('fedspoke')}" for it in ("operator", "agent", "aggregator", "collaborator")]


def _as_granted(rights: Iterable[Right]) -> set[tuple[str, str, str]]:
    return {(verb, _group(kind.api_version), _plural(kind.kind, subresource)) for verb, kind, subresource in rights}


def granted(role: str, kind: str = "ClusterRole") -> set[tuple[str, str, str]]:
    return {
        (verb, group, resource)
        for rule in named(kind, role)["rules"]
        for verb in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }


def _group(api_version: str) -> str:
    return api_version.rpartition("/")[0]


def _plural(kind: str, subresource: str) -> str:
    return f"{kind.lower()}s{f'/{subresource}' if subresource else ''}"
