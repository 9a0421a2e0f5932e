"""Who may have which certificate: the hub signs what the API server's word for the requester proves, and nothing else."""

from base64 import b64encode

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from fedspoke.api.base import Object
from fedspoke.api.errors import Refused
from fedspoke.api.names import ADDON, SIGNER, identity
from fedspoke.hub.addon.certificate_request import Registered, awaits, concerns, granted
from fedspoke.hub.addon.registration import DNS_NAME, KUBE_CLIENT, subjects
from support.addon import cluster, csr, enabled, request

NAMES = ("c1", "c10", "c2", "cluster", "addon")
HUB = Registered(clusters={name: cluster(name) for name in NAMES}, addons={name: enabled(name) for name in NAMES})
SAN = (x509.DNSName(DNS_NAME),)
C1 = subjects("c1")[SIGNER]

clusters = st.sampled_from(NAMES)
signers = st.sampled_from([SIGNER, KUBE_CLIENT])


@given(clusters, signers)
def test_what_ocms_agent_files_is_granted(name: str, signer: str) -> None:
    assert granted(request(name, signer), HUB) == name


@given(clusters, clusters, signers)
def test_no_cluster_gets_anothers_name(mine: str, other: str, signer: str) -> None:
    asked = request(mine, signer, named=other)
    if mine == other:
        assert granted(asked, HUB) == mine
    else:
        with pytest.raises(Refused, match=f"an agent of {mine} asks for the name CN="):
            granted(asked, HUB)


@given(st.text(max_size=80) | st.sampled_from([f"system:open-cluster-management:{end}" for end in ("c1", "c1:", ":a", "c1:a:b")]))
def test_only_a_klusterlets_agent_may_ask(user: str) -> None:
    with pytest.raises(Refused, match="is no klusterlet's agent"):
        granted(request(user=user), HUB)


def test_no_name_without_a_san_is_needed() -> None:
    assert granted(request(der=csr(C1.user, C1.groups, names=())), HUB) == "c1"


HOSTILE = {
    "c10's agent asks for c1, of which its name begins with": (request("c10", named="c1"), "must be CN=c10,O=federated-learning"),
    "c1's agent asks for c10": (request("c1", named="c10"), "must be CN=c1,O=federated-learning"),
    "an add-on's agent passes for an agent of a cluster called cluster": (
        request("cluster", user=f"system:open-cluster-management:cluster:c1:addon:{ADDON}:agent:{ADDON}"),
        "is no klusterlet's agent",
    ),
    "a user name of c1 without c1's group": (
        request(groups=["system:open-cluster-management:c2", "system:authenticated"]),
        "is not in the group system:open-cluster-management:c1",
    ),
    "a group of c10 for c1": (request(groups=["system:open-cluster-management:c10"]), "is not in the group"),
    "a service account": (request(user="system:serviceaccount:c1:agent"), "is no klusterlet's agent"),
    "nobody": (request(user=""), "nobody is no klusterlet's agent"),
    "a label of c2 on c1's request": (
        request(labels={"open-cluster-management.io/cluster-name": "c2"}),
        "labelled as c2's, but an agent of c1 filed it",
    ),
    "a label of c1 on c2's request for c1": (
        request("c2", named="c1", labels={"open-cluster-management.io/cluster-name": "c1"}),
        "labelled as c1's, but an agent of c2 filed it",
    ),
    "one organisation more": (request(der=csr("c1", [ADDON, "system:masters"])), "must be CN=c1,O=federated-learning"),
    "one organisation twice": (request(der=csr("c1", [ADDON, ADDON])), "must be CN=c1"),
    "no organisation": (request(der=csr("c1", [])), "must be CN=c1"),
    "the hub's API under another group": (
        request(signer=KUBE_CLIENT, der=csr(subjects("c1")[KUBE_CLIENT].user, ["system:masters"])),
        "must be CN=system:open-cluster-management:cluster:c1:addon:federated-learning:agent:federated-learning,O=",
    ),
    "our name from the hub's API": (request(signer=KUBE_CLIENT, der=csr("c1", [ADDON])), "must be CN=system:"),
    "a name of the gateway": (
        request(der=csr("c1", [ADDON], [*SAN, x509.DNSName("posts.team-a.example")])),
        "asks for the alternative names federated-learning.addon.open-cluster-management.io, posts",
    ),
    "the identity of c2": (
        request(der=csr("c1", [ADDON], [x509.UniformResourceIdentifier(identity("hub", "c2"))])),
        "asks for the alternative names spiffe://hub/cluster/c2",
    ),
    "to be an authority": (
        request(der=csr("c1", [ADDON], SAN, [x509.BasicConstraints(ca=True, path_length=None)])),
        "asks for the extension 2.5.29.19",
    ),
    "to be a server, in the request's text": (
        request(der=csr("c1", [ADDON], SAN, [x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])])),
        "asks for the extension 2.5.29.37",
    ),
    "to be a server": (
        request(usages=["digital signature", "key encipherment", "server auth"]),
        "asks for the usages digital signature, key encipherment, server auth",
    ),
    "to be a client and a server": (
        request(usages=["digital signature", "key encipherment", "client auth", "server auth"]),
        "it must be client auth, digital signature, key encipherment",
    ),
    "to be nothing": (request(usages=[]), "asks for the usages nothing"),
    "what is no request": (request(der=b"0"), "cannot be read"),
    "an unknown cluster": (request("c3"), "the hub knows no cluster c3"),
}


@pytest.mark.parametrize(("asked", "why"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_request_is_refused_with_the_reason(asked: Object, why: str) -> None:
    with pytest.raises(Refused) as refused:
        granted(asked, HUB)
    assert why in str(refused.value)


@pytest.mark.parametrize(
    ("hub", "why"),
    [
        (Registered(clusters={"c1": cluster(accepted=False)}, addons={"c1": enabled()}), "cluster c1 is not accepted"),
        (Registered(clusters={"c1": cluster() | {"spec": {}}}, addons={"c1": enabled()}), "cluster c1 is not accepted"),
        (Registered(clusters={"c1": cluster(deleting=True)}, addons={"c1": enabled()}), "cluster c1 is being deleted"),
        (Registered(clusters={"c1": cluster()}, addons={"c2": enabled("c2")}), "is not enabled on c1"),
        (Registered(clusters={"c1": cluster()}, addons={"c1": enabled(deleting=True)}), "is being removed from c1"),
    ],
)
def test_a_cluster_that_is_not_to_take_part_gets_nothing(hub: Registered, why: str) -> None:
    with pytest.raises(Refused, match=why):
        granted(request(), hub)


def test_a_request_with_anothers_key_is_refused() -> None:
    honest, other = csr(C1.user, C1.groups), csr("c2", C1.groups)
    mine, theirs = x509.load_der_x509_csr(honest), x509.load_der_x509_csr(other)
    forged = other.replace(theirs.tbs_certrequest_bytes, mine.tbs_certrequest_bytes)
    assert forged != other
    with pytest.raises(Refused, match="not signed with its own key"):
        granted(request(der=forged), HUB)


@given(st.integers(0, 400), st.integers(1, 255))
def test_a_request_of_which_one_byte_was_changed_is_refused_or_says_the_same(at: int, by: int) -> None:
    honest = csr(C1.user, C1.groups)
    changed = bytearray(honest)
    changed[at % len(changed)] ^= by
    try:
        granted(request(der=bytes(changed)), HUB)
    except Refused:
        return
    mine, theirs = (
        x509.load_der_x509_csr(honest),
        x509.load_der_x509_csr(bytes(changed)),
    )  # zeros that end it may be called unused
    assert (theirs.tbs_certrequest_bytes, theirs.signature) == (mine.tbs_certrequest_bytes, mine.signature)


@given(st.binary(max_size=300))
def test_what_is_no_request_at_all_is_refused(garbage: bytes) -> None:
    it = request()
    it["spec"]["request"] = b64encode(garbage).decode()
    with pytest.raises(Refused, match="cannot be read"):
        granted(it, HUB)


def test_every_request_to_our_signer_is_judged_whatever_its_labels_say() -> None:
    assert concerns(request(labels={}))
    assert concerns(request(labels={"open-cluster-management.io/addon-name": "other"}))


def test_of_those_for_the_hubs_api_only_our_add_ons_are_judged() -> None:
    assert concerns(request(signer=KUBE_CLIENT))
    assert not concerns(request(signer=KUBE_CLIENT, labels={}))
    assert not concerns(request(signer=KUBE_CLIENT, labels={"open-cluster-management.io/addon-name": "other"}))
    assert not concerns(request(signer="example.com/other"))


@pytest.mark.parametrize(
    ("signer", "status", "waits"),
    [
        (SIGNER, {}, True),
        (SIGNER, {"conditions": [{"type": "Approved"}]}, True),
        (SIGNER, {"conditions": [{"type": "Approved"}], "certificate": "LS0t"}, False),
        (SIGNER, {"conditions": [{"type": "Denied"}]}, False),
        (SIGNER, {"conditions": [{"type": "Approved"}, {"type": "Failed"}]}, False),
        (KUBE_CLIENT, {}, True),
        (KUBE_CLIENT, {"conditions": [{"type": "Approved"}]}, False),  # the hub's controller-manager signs it
    ],
)
def test_what_is_done_is_not_done_again(signer: str, status: Object, waits: bool) -> None:
    assert awaits(request(signer=signer, status=status)) == waits
