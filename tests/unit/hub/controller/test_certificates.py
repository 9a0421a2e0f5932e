"""The gateway's certificate is kept as long as it is good, and made anew before it ends."""

from base64 import b64decode
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from fedspoke.api import parse
from fedspoke.api.base import Object
from fedspoke.api.errors import Failed, Refused
from fedspoke.api.names import CERTIFICATE
from fedspoke.hub.addon.signer import Authority
from fedspoke.hub.controller import kinds
from fedspoke.hub.controller.certificates import certificates
from fedspoke.hub.controller.world import World
from fedspoke.hub.trust import Trust
from fedspoke.placement.fleet import Fleet
from support import build
from support.hub import FL, NAMESPACE, NOW, TRUST, Hub

FEDERATION = parse.federated_learning(build.federated_learning(FL))


def world(*owned: Object, events: tuple[Object, ...] = ()) -> World:
    return World(fleet=Fleet(), owned=owned, claims=(), events=events, works=(), pods=(), nodes=())


def _said(trust: Trust) -> str:
    """What a certificate of this authority would be told to be."""
    _, believed = certificates(FEDERATION, trust, world(), NOW)
    said: str = believed["metadata"]["annotations"][CERTIFICATE]
    return said


def certificate(secret: Object) -> x509.Certificate:
    return x509.load_pem_x509_certificate(b64decode(secret["data"]["tls.crt"]))


def test_it_is_the_authoritys_for_the_federations_own_name_with_its_key():
    secret, believed = certificates(FEDERATION, TRUST, world(), NOW)
    assert secret
    leaf = certificate(secret)
    leaf.verify_directly_issued_by(TRUST.authority.certificate)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["social.default.federation-ai.open-cluster-management.io"]
    assert load_pem_private_key(b64decode(secret["data"]["tls.key"]), None).public_key() == leaf.public_key()
    assert believed["data"] == {"ca.crt": TRUST.bundle.decode()}


@pytest.mark.parametrize(("hours", "kept"), [(0, True), (15, True), (17, False), (48, False)])
def test_it_is_kept_for_two_thirds_of_its_life(hours: int, kept: bool):
    _, believed = certificates(FEDERATION, TRUST, world(), NOW)
    secret, _ = certificates(FEDERATION, TRUST, world(believed), NOW + timedelta(hours=hours))
    assert (secret is None) is kept


OTHER = Authority.create("other", now=NOW, lifetime=timedelta(days=9))


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(_said(Trust(authority=OTHER, bundle=OTHER.certificate_pem, hub="hub-1")), id="another authority's"),
        pytest.param("", id="not written"),
        pytest.param("nothing that could be read", id="nonsense"),
        pytest.param(_said(TRUST).rpartition("+")[0], id="without an offset from UTC"),
    ],
)
def test_it_is_made_anew_where_what_it_is_told_to_be_is(said: str):
    _, believed = certificates(FEDERATION, TRUST, world(), NOW)
    believed["metadata"]["annotations"] = {CERTIFICATE: said}
    secret, _ = certificates(FEDERATION, TRUST, world(believed), NOW)
    assert secret


@pytest.mark.parametrize(("minutes", "made"), [(1, True), (-1, False)])
def test_one_that_a_pod_has_missed_since_it_was_made_is_made_again(minutes: int, made: bool):
    _, believed = certificates(FEDERATION, TRUST, world(), NOW)
    said = 'MountVolume.SetUp failed for volume "certificate" : secret "social-aggregator-certificate" not found'
    event = {"message": said, "lastTimestamp": f"{NOW + timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%SZ}"}
    secret, _ = certificates(FEDERATION, TRUST, world(believed, events=(event,)), NOW + timedelta(minutes=2))
    assert bool(secret) is made


class TestTheSecret:
    def test_goes_with_what_the_gateway_believes(self):
        hub = Hub.running()
        hub.completes()
        hub.collect()
        assert hub.names(kinds.SECRET) == hub.names(kinds.CONFIG_MAP) == []

    def test_is_written_once(self):
        hub = Hub.running()
        written = hub.writes().count("apply Secret social-aggregator-certificate")
        hub.converge(timedelta(hours=1))
        assert (written, [it for it in hub.writes() if "Secret" in it]) == (1, [])

    def test_is_written_anew_should_the_controller_have_been_killed_before_it_said_so(self):
        hub = Hub.with_federation()
        hub.choose("berlin", "lyon")
        hub.kube.refuses = {"Secret"}
        with pytest.raises(Failed):
            hub.settle()
        hub.kube.refuses = set()
        hub.settle()
        assert hub.names(kinds.SECRET) == ["social-aggregator-certificate"]

    def test_of_that_name_which_is_somebody_elses_is_left_as_it_is(self):
        name = {"name": "social-aggregator-certificate", "namespace": NAMESPACE}
        hub = Hub.with_federation({"apiVersion": "v1", "kind": "Secret", "metadata": name, "data": {"theirs": ""}})
        hub.choose("berlin", "lyon")
        with pytest.raises(Failed):
            hub.settle()
        (secret,) = hub.kube.all(kinds.SECRET)
        assert (secret["data"], hub.names(kinds.DEPLOYMENT)) == ({"theirs": ""}, [])
        assert "refuses to apply Secret" in hub.message()


def test_an_authority_that_has_ended_is_told_in_the_status():
    hub = Hub.with_federation()
    hub.choose("berlin", "lyon")
    ended = Authority.create("ended", now=NOW - timedelta(days=9), lifetime=timedelta(days=1))
    hub.controller.trust = Trust(authority=ended, bundle=ended.certificate_pem, hub="hub-1")
    with pytest.raises(Refused, match="the certificate authority ended"):
        hub.converge()
    assert hub.message().startswith("waiting for the hub: the certificate authority ended on 2026-11-13 12:00 UTC")
    assert hub.names(kinds.DEPLOYMENT) == []
