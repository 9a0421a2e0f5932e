"""The gateway's certificate is kept as long as it is good, and made anew before it ends."""

from base64 import b64decode, b64encode
from datetime import datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from fedspoke.api import parse
from fedspoke.api.base import Object
from fedspoke.api.errors import Refused
from fedspoke.hub.addon.signer import Authority
from fedspoke.hub.controller import kinds
from fedspoke.hub.controller.certificates import certificates
from fedspoke.hub.controller.world import World
from fedspoke.hub.trust import Trust
from fedspoke.placement.fleet import Fleet
from support import build
from support.hub import FL, NOW, TRUST, Hub

FEDERATION = parse.federated_learning(build.federated_learning(FL))


def world(*owned: Object) -> World:
    return World(fleet=Fleet(), owned=owned, claims=(), events=(), works=(), pods=(), nodes=())


def made(*owned: Object, now: datetime = NOW) -> Object:
    secret, _ = certificates(FEDERATION, TRUST, world(*owned), now)
    return secret


def certificate(secret: Object) -> x509.Certificate:
    return x509.load_pem_x509_certificate(b64decode(secret["data"]["tls.crt"]))


def test_it_is_the_authoritys_for_the_federations_own_name_with_its_key():
    secret, believed = certificates(FEDERATION, TRUST, world(), NOW)
    leaf = certificate(secret)
    leaf.verify_directly_issued_by(TRUST.authority.certificate)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["social.default.federation-ai.open-cluster-management.io"]
    assert load_pem_private_key(b64decode(secret["data"]["tls.key"]), None).public_key() == leaf.public_key()
    assert believed["data"] == {"ca.crt": TRUST.bundle.decode()}


@pytest.mark.parametrize(("hours", "kept"), [(0, True), (15, True), (17, False), (48, False)])
def test_it_is_kept_for_two_thirds_of_its_life(hours: int, kept: bool):
    first = made()
    assert (made(first, now=NOW + timedelta(hours=hours)) == first) is kept


def _foreign() -> Object:
    other = Authority.create("other", now=NOW, lifetime=timedelta(days=9))
    key, leaf = other.issue_server(["social.default"], now=NOW)
    return {"tls.key": b64encode(key).decode(), "tls.crt": b64encode(leaf).decode()}


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(_foreign(), id="of another authority"),
        pytest.param(made()["data"] | {"tls.key": made()["data"]["tls.key"]}, id="with the key of another"),
        pytest.param({"tls.crt": made()["data"]["tls.crt"]}, id="without a key"),
        pytest.param({"tls.key": "", "tls.crt": "bm90aGluZw=="}, id="that is none"),
        pytest.param({"tls.key": "?", "tls.crt": "?"}, id="that is no base64"),
        pytest.param(None, id="empty"),
    ],
)
def test_one_that_is_of_no_use_is_replaced(data: Object | None):
    secret = made(made() | {"data": data})
    certificate(secret).verify_directly_issued_by(TRUST.authority.certificate)
    assert data is None or secret["data"] != data


def test_an_authority_that_has_ended_is_told_in_the_status():
    hub = Hub.with_federation()
    hub.choose("berlin", "lyon")
    ended = Authority.create("ended", now=NOW - timedelta(days=9), lifetime=timedelta(days=1))
    hub.controller.trust = Trust(authority=ended, bundle=ended.certificate_pem, hub="hub-1")
    with pytest.raises(Refused, match="the certificate authority ended"):
        hub.converge()
    assert hub.message().startswith("waiting for the hub: the certificate authority ended on 2026-11-13 12:00 UTC")
    assert hub.names(kinds.DEPLOYMENT) == []
