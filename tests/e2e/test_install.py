"""hub/deploy on a real API server: it is taken whole, and its service account may do what the controller does, and no more."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import cycle
from pathlib import Path

import pytest
from kubernetes import config

from fedspoke.api.base import Object
from fedspoke.api.errors import Failed
from fedspoke.api.records import Progress
from fedspoke.hub import reporter
from fedspoke.hub.addon.authority import trust
from fedspoke.hub.controller import kinds
from fedspoke.hub.controller.converge import Controller
from fedspoke.kube.client import OPENSHIFT
from fedspoke.kube.client import Kubernetes as Client
from support import build
from support.fleet import binaries, kubectl, ocm
from support.fleet.binaries import Say
from support.fleet.deployed import DEPLOY, FEDERATION, HOME, as_controller
from support.fleet.kubernetes import NODE, Kind, Kubernetes
from support.fleet.operator import operator
from support.fleet.wait import until
from support.fleet.worlds import Hub

USERS, NAME = "team", "social"
_REVIEW = Kind("authorization.k8s.io/v1", "selfsubjectaccessreviews", namespaced=False)
_SECRET = Kind("v1", "secrets")
_CLAIM = Kind("v1", "persistentvolumeclaims")
_LEASE = Kind("coordination.k8s.io/v1", "leases")
_SECONDS = 90


@dataclass(frozen=True, slots=True)
class Installed:
    """A hub with all of hub/deploy: asked as its admin, and as the controller's service account."""

    hub: Hub
    kubeconfig: Path
    admin: Kubernetes
    account: Kubernetes
    controller: Controller

    def look(self) -> None:
        self.controller.converge(USERS, NAME, datetime.now(UTC))

    def federation(self) -> Object:
        return self.admin.get(FEDERATION, NAME, USERS)


@pytest.fixture(scope="module")
def installed(hub: Hub, tmp_path_factory: pytest.TempPathFactory, say: Say) -> Installed:
    """By the very command of hub/README."""
    admin = hub.server.kubernetes
    ocm.define_works_and_addons(hub.server)
    binaries.program("kubectl", say)
    kubectl.kubectl(hub.server.kubeconfig, "apply", "-k", DEPLOY)
    until("the CRD is served", partial(admin.all, FEDERATION), _SECONDS)
    kubeconfig = as_controller(admin, hub.server.kubeconfig, tmp_path_factory.mktemp("operator"))
    kube = Client(config.new_client_from_config(str(kubeconfig)))
    return Installed(hub, kubeconfig, admin, Kubernetes(kubeconfig), Controller(kube, trust(kube, HOME, datetime.now(UTC))))


@pytest.fixture
def federation(installed: Installed) -> Iterator[Installed]:
    """Two clusters, a node and a federation, none of which any controller but ours looks at."""
    admin = installed.admin
    for name in (USERS, "berlin", "lyon"):
        admin.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    for name in ("berlin", "lyon"):
        admin.apply(build.cluster(name, labels=build.labelled("facebook")) | {"status": {}})
    admin.apply(build.cluster_set("all"))
    ready = {"conditions": [{"type": "Ready", "status": "True"}], "addresses": [{"type": "InternalIP", "address": "192.0.2.7"}]}
    node = Kind(NODE.api_version, NODE.plural, namespaced=False, with_status=True)
    admin.create(node, {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node1"}, "status": ready})
    client = {"data": {"platforms": ["facebook"]}, "placement": {"clusterSets": ["all"]}}
    storage = {"size": "1024Mi"}
    admin.create(
        FEDERATION,
        build.federated_learning(NAME, USERS, client=client, server={"minAvailableClients": 2, "storage": storage}),
    )
    yield installed
    admin.delete(NODE, "node1")
    for kind in (FEDERATION, _CLAIM):  # a claim as the garbage collector would
        for it in admin.all(kind, USERS):
            admin.merge(kind, it["metadata"]["name"], {"metadata": {"finalizers": None}}, USERS)
            admin.delete(kind, it["metadata"]["name"], USERS)


def test_the_controller_knows_what_kinds_there_are(installed: Installed) -> None:
    kube = installed.controller.kube
    assert [kube.knows(kind) for kind in (kinds.FEDERATED_LEARNING, OPENSHIFT)] == [True, False]


def test_a_federation_goes_from_its_creation_to_its_deletion_with_these_rights(federation: Installed) -> None:
    admin = federation.admin
    for _ in range(2):
        federation.look()
    assert federation.federation()["status"]["phase"] == "Waiting"
    words = "waiting for OCM's placement controller, which has not decided yet; since "
    assert federation.federation()["status"]["message"].startswith(words)

    decided = build.decided(NAME, "berlin", "lyon", namespace=USERS)
    decided["status"]["decisions"] = [{"clusterName": name, "reason": ""} for name in ("berlin", "lyon")]
    admin.create(ocm.DECISION, decided)
    for _ in range(3):
        federation.look()
    assert [it["metadata"]["namespace"] for it in admin.all(ocm.WORK)] == ["berlin", "lyon"]

    there = _versions(federation)
    federation.look()
    assert _versions(federation) == there, "a look at an unchanged world has written"

    begun = datetime.fromisoformat(federation.federation()["status"]["startTime"]).isoformat()
    done = Progress(attempt=begun, phase="Completed", message="done", model="a" * 64)
    data = {reporter.PROGRESS: done.model_dump_json(by_alias=True)}
    admin.merge(Kind("v1", "configmaps"), f"{NAME}-progress", {"data": data}, USERS)
    for _ in range(2):
        federation.look()
    assert federation.federation()["status"]["phase"] == "Completed"
    assert [it for it in admin.all(ocm.WORK) if "deletionTimestamp" not in it["metadata"]] == []

    admin.delete(FEDERATION, NAME, USERS)
    federation.look()
    assert "waiting for berlin, lyon to take away what ran there" in federation.federation()["status"]["message"]
    for it in admin.all(ocm.WORK):  # as the garbage collector and the clusters' agents would
        admin.merge(ocm.WORK, it["metadata"]["name"], {"metadata": {"finalizers": None}}, it["metadata"]["namespace"])
    federation.look()
    assert admin.all(FEDERATION) == []


def test_a_secret_that_somebody_else_has_made_is_not_written_over_and_the_federations_own_is(federation: Installed) -> None:
    admin, name = federation.admin, "sealed"
    client = {"data": {"platforms": ["facebook"]}, "placement": {"clusterSets": ["all"]}}
    admin.create(FEDERATION, build.federated_learning(name, USERS, client=client, server={"minAvailableClients": 1}))
    decided = build.decided(name, "berlin", namespace=USERS)
    decided["status"]["decisions"] = [{"clusterName": "berlin", "reason": ""}]
    admin.create(ocm.DECISION, decided)
    secret = f"{name}-aggregator-certificate"
    theirs = {"tls.crt": "dGhlaXJz", "tls.key": "dGhlaXJz"}
    metadata = {"name": secret, "namespace": USERS}
    made = {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": metadata, "data": theirs}
    admin.create(_SECRET, made)
    look = partial(federation.controller.converge, USERS, name)
    with pytest.raises(Failed, match=f"refuses to apply Secret {secret}: Apply failed with .* conflict"):
        look(datetime.now(UTC))
    assert admin.get(_SECRET, secret, USERS)["data"] == theirs

    admin.delete(_SECRET, secret, USERS)
    now = datetime.now(UTC)
    for at in (now, now + timedelta(hours=20)):  # made, and renewed
        look(at)
        found = admin.get(_SECRET, secret, USERS)
        assert [it["name"] for it in found["metadata"]["ownerReferences"]] == [f"{name}-aggregator-ca"]
        assert found["data"] != theirs
        theirs = found["data"]
    admin.delete(_SECRET, secret, USERS)


def test_federations_of_a_namespace_own_its_binding_together_although_owners_are_guarded(federation: Installed) -> None:
    admin, other = federation.admin, "other"
    federation.look()
    client = {"data": {"platforms": ["facebook"]}, "placement": {"clusterSets": ["all"]}}
    admin.create(FEDERATION, build.federated_learning(other, USERS, client=client))
    for _ in range(2):
        federation.controller.converge(USERS, other, datetime.now(UTC))
    (binding,) = federation.controller.kube.all(kinds.BINDING, USERS)
    assert {NAME, other} <= {it["name"] for it in binding["metadata"]["ownerReferences"]}


@pytest.mark.parametrize(
    ("verb", "resource", "where", "may"),
    [
        ("create", "coordination.k8s.io/leases", HOME, True),
        ("update", "coordination.k8s.io/leases/fedspoke", HOME, True),
        ("watch", "federation-ai.open-cluster-management.io/federatedlearnings", None, True),
        ("create", "cluster.open-cluster-management.io/managedclustersets//bind", None, True),
        ("update", "coordination.k8s.io/leases/fedspoke", USERS, False),
        ("get", "/secrets/federated-learning-ca", HOME, True),
        ("get", "/secrets/other", HOME, False),
        ("list", "/secrets", USERS, False),
        ("delete", "/persistentvolumeclaims", USERS, False),
        ("create", "/pods", USERS, False),
        ("delete", "cluster.open-cluster-management.io/managedclusters", None, False),
        ("create", "rbac.authorization.k8s.io/clusterrolebindings", None, False),
    ],
)
def test_the_service_account_may_do_what_it_needs_and_nothing_else(
    installed: Installed, verb: str, resource: str, where: str | None, may: bool
) -> None:
    group, plural, name, subresource = [*resource.split("/"), "", ""][:4]
    asked = {"verb": verb, "group": group, "resource": plural, "name": name, "subresource": subresource}
    spec = {"resourceAttributes": asked | ({"namespace": where} if where else {})}
    review = {"apiVersion": _REVIEW.api_version, "kind": "SelfSubjectAccessReview", "metadata": {}, "spec": spec}
    assert installed.account.create(_REVIEW, review)["status"]["allowed"] is may


@pytest.mark.parametrize(
    ("group", "where", "may"), [("researchers", USERS, True), ("researchers", HOME, False), ("others", USERS, False)]
)
def test_who_was_given_the_role_for_people_may_make_federations_where_he_was_given_it(
    installed: Installed, group: str, where: str, may: bool
) -> None:
    rbac = "rbac.authorization.k8s.io"
    installed.admin.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": USERS}})
    installed.admin.apply(
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "researchers", "namespace": USERS},
            "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": "fedspoke:edit"},
            "subjects": [{"apiGroup": rbac, "kind": "Group", "name": "researchers"}],
        }
    )
    asked = {"verb": "create", "group": "federation-ai.open-cluster-management.io", "resource": "federatedlearnings"}
    spec = {"user": "ada", "groups": [group], "resourceAttributes": asked | {"namespace": where}}
    review = {"apiVersion": _REVIEW.api_version, "kind": "SubjectAccessReview", "metadata": {}, "spec": spec}
    answer = installed.admin.create(replace(_REVIEW, plural="subjectaccessreviews"), review)
    assert answer["status"]["allowed"] is may


def test_the_operator_watches_with_these_rights_and_one_alone_is_ready(federation: Installed, tmp_path: Path) -> None:
    with operator(federation.kubeconfig, tmp_path) as first:
        until("it is at work", first.ready, _SECONDS, [first.process])
        until("the federation says something", lambda: federation.federation().get("status"), _SECONDS, [first.process], so=bool)
        with operator(federation.kubeconfig, tmp_path) as second:
            until("another waits", lambda: "holds it" in second.process.words(), _SECONDS, [second.process])
            assert (second.answers("/healthz"), second.answers("/readyz")) == (200, 503)
        assert (first.answers("/healthz"), first.answers("/readyz")) == (200, 200)
    assert "ot enough permissions" not in first.process.words()
    assert "forbidden" not in first.process.words().lower()


def test_a_hub_of_fifty_finished_federations_is_only_read(installed: Installed, tmp_path: Path) -> None:
    admin, kind = installed.admin, replace(FEDERATION, with_status=True)
    admin.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": USERS}})
    names = [f"finished-{number}" for number in range(50)]
    for name, phase in zip(names, cycle(("Completed", "Failed")), strict=False):
        at = "2026-11-21T12:00:00Z"
        said = {"phase": phase, "message": "as it was", "observedGeneration": 1, "startTime": at, "completionTime": at}
        admin.create(kind, build.federated_learning(name, USERS) | {"status": said})
        installed.controller.converge(USERS, name, datetime.now(UTC))

    before = _writes(admin)
    with operator(installed.kubeconfig, tmp_path) as it:
        until("it is at work", it.ready, _SECONDS, [it.process])
        # Longer than any pause of the controller but those of five minutes, after which it looks as it does when it starts.
        until(
            "it has been so for 65 s",
            partial(_held, admin),
            2 * _SECONDS,
            [it.process],
            so=lambda held: held > timedelta(seconds=65),
        )
    assert _writes(admin) == before, "besides its Lease, which it renews, it has written"
    assert "; tried again in " not in it.process.words()
    for name in names:
        admin.merge(FEDERATION, name, {"metadata": {"finalizers": None}}, USERS)
        admin.delete(FEDERATION, name, USERS)


def _writes(admin: Kubernetes) -> dict[tuple[str, str], int]:
    """How often what was written so far, by whomever, by verb and resource."""
    found: Counter[tuple[str, str]] = Counter()
    for labels, count in admin.counted("apiserver_request_total").items():
        of = dict(labels)
        if of["verb"] not in ("GET", "LIST", "WATCH") and of["resource"] != "leases":
            found[of["verb"], of["resource"]] += count
    return found


def _held(admin: Kubernetes) -> timedelta:
    """For how long the Lease has been the same controller's."""
    lease = admin.get(_LEASE, "fedspoke", HOME)["spec"]
    renewed, acquired = (datetime.fromisoformat(lease[each]) for each in ("renewTime", "acquireTime"))
    return renewed - acquired


def _versions(federation: Installed) -> dict[str, str]:
    kube: Callable[..., list[Object]] = federation.controller.kube.all
    found = [it for kind in (*kinds.OWNED, kinds.BINDING) for it in kube(kind, USERS)] + kube(kinds.WORK)
    found.append(federation.federation())
    return {f"{it['kind']} {it['metadata']['name']}": it["metadata"]["resourceVersion"] for it in found}
