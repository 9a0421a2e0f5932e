"""What a certificate says, and what the signer will not sign."""

from base64 import b64encode
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import PolicyBuilder, Store
from hypothesis import given
from hypothesis import strategies as st

from fedspoke.api.errors import Refused
from fedspoke.api.names import identity
from fedspoke.hub.addon.signer import CLOCK_SKEW, LIFETIME, Authority
from fedspoke.local.identity import request

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
AUTHORITY = Authority.create("federated-learning", now=NOW - DAY, lifetime=366 * DAY)
KEY, CSR = request()

labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True)


def signed(csr: bytes = CSR, cluster: str = "cluster1", hub: str = "hub", lifetime: timedelta = LIFETIME) -> x509.Certificate:
    return x509.load_pem_x509_certificate(AUTHORITY.sign_client(csr, cluster=cluster, hub=hub, now=NOW, lifetime=lifetime))


def asked_by(key: PrivateKey, *extensions: x509.ExtensionType, common_name: str = "cluster2") -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()).public_bytes(Encoding.PEM)


@given(labels)
def test_a_certificate_names_exactly_the_cluster(cluster: str) -> None:
    certificate = signed(cluster=cluster)
    assert certificate.subject.rfc4514_string() == f"CN={cluster},O=federated-learning"
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert list(names) == [x509.UniformResourceIdentifier(identity("hub", cluster))]


def test_a_cluster_may_dial_and_do_nothing_else() -> None:
    extensions = signed().extensions
    assert list(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    usage = extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.digital_signature
    assert not usage.key_cert_sign


def test_nothing_but_the_key_is_taken_from_a_request() -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    csr = asked_by(
        key,
        x509.SubjectAlternativeName([x509.UniformResourceIdentifier(identity("hub", "cluster2")), x509.DNSName("gateway")]),
        x509.BasicConstraints(ca=True, path_length=None),
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]),
    )
    certificate, plain = signed(csr), signed()
    assert certificate.public_key() == key.public_key()
    assert certificate.subject == plain.subject
    of_the_key = (x509.SubjectKeyIdentifier,)
    assert [each for each in certificate.extensions if not isinstance(each.value, of_the_key)] == [
        each for each in plain.extensions if not isinstance(each.value, of_the_key)
    ]


@pytest.mark.parametrize(
    "key",
    [ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 2048)],
)
def test_a_key_is_signed(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> None:
    assert signed(asked_by(key)).public_key() == key.public_key()


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(ec.generate_private_key(ec.SECP521R1()), id="P-521"),
        pytest.param(rsa.generate_private_key(65537, 1024), id="RSA of 1024 bits"),  # noqa: S505  that is the point
        pytest.param(ed25519.Ed25519PrivateKey.generate(), id="Ed25519, which Envoy does not take"),
    ],
)
def test_a_key_is_refused(key: PrivateKey) -> None:
    with pytest.raises(Refused, match="take P-256, P-384 or RSA"):
        signed(asked_by(key))


def test_a_request_for_somebody_elses_key_is_refused() -> None:
    mine, theirs = (x509.load_pem_x509_csr(asked_by(ec.generate_private_key(ec.SECP256R1()))) for _ in range(2))
    mine_der = mine.public_bytes(Encoding.DER)
    forged = mine_der.replace(mine.tbs_certrequest_bytes, theirs.tbs_certrequest_bytes)
    assert forged != mine_der
    with pytest.raises(Refused, match="not signed with its own key"):
        signed(x509.load_der_x509_csr(forged).public_bytes(Encoding.PEM))


@given(st.binary(max_size=200) | st.sampled_from([CSR[:100], CSR.replace(b"M", b"N"), KEY]))
def test_what_is_no_request_is_refused(garbage: bytes) -> None:
    with pytest.raises(Refused, match="certificate request of cluster1"):
        signed(garbage)


def test_a_request_of_an_unknown_version_is_refused() -> None:
    der = bytearray(x509.load_pem_x509_csr(CSR).public_bytes(Encoding.DER))
    der[der.index(b"\x02\x01\x00") + 2] = 1
    pem = b"-----BEGIN CERTIFICATE REQUEST-----\n" + b64encode(bytes(der)) + b"\n-----END CERTIFICATE REQUEST-----\n"
    with pytest.raises(Refused, match="certificate request of cluster1 cannot be read"):
        signed(pem)


@pytest.mark.parametrize("cluster", ["", "Cluster1", "a.b", "a/cluster/b", "-a", "a" * 64, "cluster1\n"])
def test_a_name_that_no_cluster_has_is_refused(cluster: str) -> None:
    with pytest.raises(Refused, match="no name of a managed cluster"):
        signed(cluster=cluster)


@pytest.mark.parametrize("hub", ["", "a/cluster/b", "Hub", "hub\n"])
def test_a_hub_id_that_would_change_the_identitys_meaning_is_refused(hub: str) -> None:
    with pytest.raises(Refused, match="no hub cluster id"):
        signed(hub=hub)


def test_it_lasts_a_day_and_began_a_little_earlier_for_slow_clocks() -> None:
    certificate = signed()
    assert certificate.not_valid_after_utc == NOW + DAY
    assert certificate.not_valid_before_utc == NOW - CLOCK_SKEW


def test_less_than_an_hour_is_refused() -> None:
    assert signed(lifetime=HOUR).not_valid_after_utc == NOW + HOUR
    with pytest.raises(Refused, match=r"0:59:59 is too short; the least is 1:00:00"):
        signed(lifetime=HOUR - timedelta(seconds=1))


@given(st.integers(1, 400).map(lambda days: days * DAY))
def test_no_certificate_outlives_its_authority(lifetime: timedelta) -> None:
    assert signed(lifetime=lifetime).not_valid_after_utc == min(NOW + lifetime, AUTHORITY.certificate.not_valid_after_utc)


def test_an_authority_that_has_ended_signs_nothing() -> None:
    ended = Authority.create("old", now=NOW - 2 * DAY, lifetime=DAY)
    with pytest.raises(Refused, match="ended on 2026-11-20 12:00 UTC"):
        ended.sign_client(CSR, cluster="cluster1", hub="hub", now=NOW)


def test_a_gateway_is_verified_under_its_names_and_no_other() -> None:
    key, chain = AUTHORITY.issue_server(["posts.social.example", "other.social.example"], now=NOW)
    certificate = x509.load_pem_x509_certificate(chain)
    assert load_pem_private_key(key, None).public_key() == certificate.public_key()
    policy = PolicyBuilder().store(Store([AUTHORITY.certificate])).time(NOW)
    for name in ("posts.social.example", "other.social.example"):
        policy.build_server_verifier(x509.DNSName(name)).verify(certificate, [])
    with pytest.raises(x509.verification.VerificationError):
        policy.build_server_verifier(x509.DNSName("third.social.example")).verify(certificate, [])
    with pytest.raises(x509.verification.VerificationError):
        policy.build_client_verifier().verify(certificate, [])


def test_a_cluster_is_verified_as_a_client_by_its_own_authority_only() -> None:
    other = Authority.create("federated-learning", now=NOW - DAY, lifetime=366 * DAY)
    trusting_us, trusting_them = (PolicyBuilder().store(Store([each.certificate])).time(NOW) for each in (AUTHORITY, other))
    verified = trusting_us.build_client_verifier().verify(signed(), [])
    assert verified.subjects == [x509.UniformResourceIdentifier(identity("hub", "cluster1"))]
    with pytest.raises(x509.verification.VerificationError):
        trusting_them.build_client_verifier().verify(signed(), [])


def test_an_authority_is_the_same_after_it_was_stored() -> None:
    again = Authority.load(AUTHORITY.key_pem, AUTHORITY.certificate_pem)
    assert again.certificate == AUTHORITY.certificate
    assert again.key_pem == AUTHORITY.key_pem


@pytest.mark.parametrize(
    ("key", "certificate", "says"),
    [
        pytest.param(b"", AUTHORITY.certificate_pem, "cannot be read", id="no key"),
        pytest.param(AUTHORITY.key_pem, b"", "cannot be read", id="no certificate"),
        pytest.param(KEY, AUTHORITY.certificate_pem, "belong together", id="another's key"),
        pytest.param(KEY, signed().public_bytes(Encoding.PEM), "belong together", id="a cluster's certificate"),
        pytest.param(
            rsa.generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            AUTHORITY.certificate_pem,
            "not an elliptic-curve key",
            id="RSA",
        ),
    ],
)
def test_what_is_no_authority_is_refused(key: bytes, certificate: bytes, says: str) -> None:
    with pytest.raises(Refused, match=says):
        Authority.load(key, certificate)
