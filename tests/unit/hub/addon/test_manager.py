"""The add-on's manager on a hub that keeps lists."""

from base64 import b64decode
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from fedspoke.api.base import Object
from fedspoke.api.names import ADDON, SIGNER, identity
from fedspoke.hub.addon import manager
from fedspoke.hub.addon.agent_work import WORK, agent_work
from fedspoke.hub.addon.registration import KUBE_CLIENT, owner, registrations, rights
from fedspoke.hub.addon.signer import Authority
from fedspoke.hub.controller import kinds
from fedspoke.hub.trust import Trust
from fedspoke.manifestworks.collaborator import CA_CONFIG_MAP
from support.addon import cluster, csr, enabled, request
from support.golden import matches
from support.kube import Lists

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
AUTHORITY = Authority.create("test", now=NOW, lifetime=timedelta(days=9))
TRUST = Trust(authority=AUTHORITY, bundle=AUTHORITY.certificate_pem, hub="hub-7f3a")
IMAGE = "fedspoke-agent:0.1.0"
CONDITIONS = ("RegistrationApplied", "ManifestApplied", "Degraded")


def converged(*objects: Object, refuses: tuple[str, ...] = ()) -> Lists:
    kube = Lists(*objects, refuses=refuses)
    manager.converge(kube, TRUST, IMAGE, NOW)
    return kube


def answer(kube: Lists) -> Object:
    (it,) = kube.all(manager.CERTIFICATE_REQUEST)
    status: Object = it["status"]
    return status


def told(kube: Lists, of: str = "c1") -> dict[str, tuple[str, str]]:
    status = (kube.get(manager.MANAGED_CLUSTER_ADDON, ADDON, of) or {}).get("status") or {}
    return {each["type"]: (each["status"], each["message"]) for each in status.get("conditions") or []}


def with_work(**status: object) -> Object:
    return agent_work("c1", owner(enabled()), TRUST.bundle, IMAGE) | {"status": status}


def test_all_that_one_cluster_gets():
    addon = enabled()
    objects = [*rights("c1", owner(addon)), agent_work("c1", owner(addon), b"the authorities' certificates\n", IMAGE)]
    assert matches("addon", objects)


def test_an_enabled_add_on_gets_its_rights_its_agent_and_its_registrations():
    kube = converged(cluster(), enabled())
    assert kube.get(kinds.WORK, WORK, "c1")
    assert kube.all(kinds.ROLE, "c1")
    assert kube.all(kinds.ROLE_BINDING, "c1")
    status = (kube.get(manager.MANAGED_CLUSTER_ADDON, ADDON, "c1") or {})["status"]
    assert status["namespace"] == "open-cluster-management-agent-addon"
    assert {it["signerName"]: it["subject"] for it in status["registrations"]} == {
        KUBE_CLIENT: {
            "user": "system:open-cluster-management:cluster:c1:addon:federated-learning:agent:federated-learning",
            "groups": ["system:open-cluster-management:cluster:c1:addon:federated-learning"],
        },
        SIGNER: {"user": "c1", "groups": ["federated-learning"]},
    }


def test_nothing_is_written_when_nothing_changed():
    kube = converged(cluster(), enabled(), request(), request("c2", status={"conditions": [{"type": "Denied"}]}))
    assert kube.writes
    manager.converge(kube, TRUST, IMAGE, NOW)  # the status takes up what it sees of the ManifestWork
    kube.writes.clear()
    assert manager.converge(kube, TRUST, IMAGE, NOW + timedelta(days=1)) == []
    assert kube.writes == []


def test_what_somebody_changed_is_put_right_again():
    kube = converged(cluster(), enabled())
    (role,) = kube.all(kinds.ROLE)
    kube.apply(role | {"rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]})
    manager.converge(kube, TRUST, IMAGE, NOW)
    assert [it["rules"] for it in kube.all(kinds.ROLE)] == [role["rules"]]


def test_a_new_authority_reaches_the_spokes():
    kube = converged(cluster(), enabled())
    both = TRUST.bundle + Authority.create("next", now=NOW, lifetime=timedelta(days=9)).certificate_pem
    manager.converge(kube, Trust(authority=AUTHORITY, bundle=both, hub=TRUST.hub), IMAGE, NOW)
    work = kube.get(kinds.WORK, WORK, "c1") or {}
    configs = {it["metadata"]["name"]: it for it in work["spec"]["workload"]["manifests"] if it["kind"] == "ConfigMap"}
    assert configs[CA_CONFIG_MAP]["data"]["ca.crt"].encode() == both


@pytest.mark.parametrize("objects", [(cluster(), enabled(deleting=True)), (enabled(),), (cluster(),)])
def test_nothing_is_done_for_what_is_not_enabled(objects: tuple[Object, ...]):
    assert converged(*objects).writes == []


def test_our_certificate_names_the_cluster_and_the_hub():
    status = answer(converged(cluster(), enabled(), request()))
    assert [each["type"] for each in status["conditions"]] == ["Approved"]
    certificate = x509.load_pem_x509_certificate(b64decode(status["certificate"]))
    certificate.verify_directly_issued_by(AUTHORITY.certificate)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert list(names) == [x509.UniformResourceIdentifier(identity("hub-7f3a", "c1"))]


def test_a_request_for_the_hubs_api_is_approved_and_left_to_the_hub_to_sign():
    status = answer(converged(cluster(), enabled(), request(signer=KUBE_CLIENT)))
    assert [each["type"] for each in status["conditions"]] == ["Approved"]
    assert "certificate" not in status


def test_a_request_that_was_approved_and_not_signed_is_signed():
    approved = request(status={"conditions": [{"type": "Approved", "status": "True"}]})
    kube = converged(cluster(), enabled(), approved)
    assert answer(kube)["certificate"]
    assert [verb for verb, kind, _ in kube.writes if kind == "CertificateSigningRequest"] == ["replace status"]


def test_a_hostile_request_is_denied_with_the_reason():
    status = answer(converged(cluster(), enabled(), request(named="c2")))
    (condition,) = status["conditions"]
    assert condition["type"] == "Denied"
    assert (
        condition["message"]
        == "an agent of c1 asks for the name CN=c2,O=federated-learning; it must be CN=c1,O=federated-learning"
    )
    assert "certificate" not in status


def test_a_hostile_request_that_somebody_approved_is_not_signed():
    approved = request(named="c2", status={"conditions": [{"type": "Approved", "status": "True"}]})
    status = answer(converged(cluster(), enabled(), approved))
    assert [each["type"] for each in status["conditions"]] == ["Approved", "Failed"]
    assert "certificate" not in status


def test_a_long_name_makes_no_long_message():
    status = answer(converged(cluster(), enabled(), request(der=csr("c1", ["x" * 64] * 500))))
    assert len(status["conditions"][0]["message"]) == 1000


def test_until_the_cluster_has_the_agent_nobody_knows_how_it_is():
    seen = told(converged(cluster(), enabled()))
    assert [seen[kind][0] for kind in CONDITIONS] == ["True", "Unknown", "False"]
    assert seen["ManifestApplied"][1] == "the work agent of c1 has not yet said that it has the agent"


def test_when_the_cluster_has_the_agent_nothing_is_missing():
    seen = told(converged(cluster(), enabled(), with_work(conditions=[{"type": "Applied", "status": "True"}])))
    assert [seen[kind][0] for kind in CONDITIONS] == ["True", "True", "False"]


def test_what_the_cluster_does_not_take_is_said_in_its_own_words():
    refused = {"conditions": [{"type": "Applied", "status": "False", "message": "deployments is forbidden"}]}
    applied = {"type": "Applied", "status": "False", "message": "Failed to apply manifest work"}
    seen = told(converged(cluster(), enabled(), with_work(conditions=[applied], resourceStatus={"manifests": [refused]})))
    assert seen["Degraded"] == ("True", "c1 does not take the agent's objects: deployments is forbidden")


def test_what_the_hub_refuses_is_said_and_stops_no_other_cluster():
    kube = converged(cluster(), enabled(), cluster("c2"), enabled("c2"), refuses=("Role",))
    for name in ("c1", "c2"):
        state, message = told(kube, name)["RegistrationApplied"]
        assert state == "False"
        assert message.endswith("forbidden")


def test_conditions_of_others_stay_and_keep_their_time():
    available = {
        "type": "Available",
        "status": "True",
        "reason": "Lease",
        "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    kube = converged(cluster(), enabled(conditions=[available], kubeClientDriver="csr"))
    status = (kube.get(manager.MANAGED_CLUSTER_ADDON, ADDON, "c1") or {})["status"]
    assert available in status["conditions"]
    assert status["kubeClientDriver"] == "csr"


def test_a_klusterlet_that_gives_tokens_says_itself_who_its_add_on_is():
    said = {"signerName": KUBE_CLIENT, "subject": {"user": "system:serviceaccount:c1:federated-learning-agent"}}
    assert registrations(enabled(kubeClientDriver="token", registrations=[said]))[0] == said
