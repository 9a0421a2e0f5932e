"""The hub's authority is made once, renewed in time, and always believed before it signs."""

from base64 import b64decode, b64encode
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from fedspoke.api.base import Object
from fedspoke.api.errors import Refused
from fedspoke.hub.addon.authority import LIFETIME, NAME, bundle, renewed, trust
from fedspoke.hub.addon.signer import Authority
from fedspoke.hub.controller import kinds
from support.kube import Lists

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
DAY = timedelta(days=1)
SYSTEM: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system", "uid": "uid-of-the-hub"}}


def names(texts: bytes) -> list[str]:
    return [each.subject.rfc4514_string() for each in x509.load_pem_x509_certificates(texts)]


def given_secret(**data: bytes) -> Object:
    encoded = {name.replace("_", "."): b64encode(value).decode() for name, value in data.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": NAME, "namespace": "fedspoke"}, "data": encoded}


def test_an_authority_is_made_where_there_is_none_and_is_the_same_the_next_time():
    kube = Lists(SYSTEM)
    first = trust(kube, "fedspoke", NOW)
    kube.writes.clear()
    second = trust(kube, "fedspoke", NOW + DAY)
    assert kube.writes == []
    assert second.authority.certificate == first.authority.certificate
    assert second.bundle == first.authority.certificate_pem
    assert second.hub == "uid-of-the-hub"


def test_an_authority_that_was_given_is_used_and_never_changed():
    root = Authority.create("ours", now=NOW, lifetime=2 * DAY)
    kube = Lists(SYSTEM, given_secret(tls_key=root.key_pem, tls_crt=root.certificate_pem))
    assert trust(kube, "fedspoke", NOW + DAY).authority.certificate == root.certificate
    assert kube.writes == []


@pytest.mark.parametrize(
    ("secret", "why"),
    [
        (given_secret(), "it has no tls.key and no tls.crt"),
        (given_secret(tls_key=b"x", tls_crt=b"y"), "the certificate authority cannot be read"),
    ],
)
def test_a_secret_that_holds_no_authority_is_named(secret: Object, why: str):
    with pytest.raises(Refused, match=f"the Secret fedspoke/{NAME} cannot be used: {why}"):
        trust(Lists(SYSTEM, secret), "fedspoke", NOW)


def test_a_successor_is_believed_a_day_before_it_signs():
    kube = Lists(SYSTEM)
    old = trust(kube, "fedspoke", NOW).authority
    due = old.certificate.not_valid_after_utc - LIFETIME / 3
    coming = trust(kube, "fedspoke", due)
    assert coming.authority.certificate == old.certificate
    assert len(names(coming.bundle)) == 2

    still = trust(kube, "fedspoke", due + DAY - timedelta(seconds=1))
    assert still.authority.certificate == old.certificate
    new = trust(kube, "fedspoke", due + DAY)
    assert new.authority.certificate != old.certificate
    assert names(new.bundle) == names(coming.bundle)[::-1]


def test_a_hub_that_slept_for_years_gets_a_new_authority():
    kube = Lists(SYSTEM)
    old = trust(kube, "fedspoke", NOW)
    new = trust(kube, "fedspoke", NOW + 10 * LIFETIME)
    assert new.authority.certificate != old.authority.certificate
    assert new.bundle == new.authority.certificate_pem


@given(st.lists(st.integers(1, 500), min_size=1, max_size=9))
def test_whatever_signs_was_believed_at_the_look_before_unless_that_had_ended(days: list[int]):
    data = renewed({}, NOW) or {}
    now, believed = NOW, names(bundle(data, NOW))
    for pause in days:
        before, now = data, now + pause * DAY
        data = renewed(data, now) or data
        signs = Authority.load(data["tls.key"], data["tls.crt"])
        assert signs.certificate.not_valid_after_utc > now
        ended = x509.load_pem_x509_certificate(before["tls.crt"]).not_valid_after_utc <= now
        assert signs.certificate.subject.rfc4514_string() in believed or ended
        believed = names(bundle(data, now))
        assert signs.certificate.subject.rfc4514_string() in believed
        assert len(believed) <= 3


def test_a_successor_that_ended_before_it_signed_is_replaced():
    kube = Lists(SYSTEM)
    due = trust(kube, "fedspoke", NOW).authority.certificate.not_valid_after_utc - LIFETIME / 3
    trust(kube, "fedspoke", due)
    now = due + LIFETIME
    assert trust(kube, "fedspoke", now).authority.certificate.not_valid_after_utc > now


def test_nothing_of_the_key_is_in_the_bundle():
    data = renewed({}, NOW) or {}
    assert b"PRIVATE" not in bundle(data, NOW)


def test_the_secret_says_whose_it_is():
    kube = Lists(SYSTEM)
    trust(kube, "fedspoke", NOW)
    secret = kube.get(kinds.SECRET, NAME, "fedspoke") or {}
    assert secret["type"] == "kubernetes.io/tls"
    assert secret["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "federated-learning"
    assert b64decode(secret["data"]["tls.crt"]).startswith(b"-----BEGIN CERTIFICATE")
