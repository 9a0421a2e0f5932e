"""A certificate says which cluster speaks, and the signer alone decides what it says.

An AddOnTemplate's CustomSigner signs whatever subject an accepted cluster asks for. This one takes nothing from a request but
its public key: the name, the uses and the life of the certificate come from the hub.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from fedspoke.api.errors import Refused
from fedspoke.api.names import ADDON, identity

LIFETIME = timedelta(hours=24)
SHORTEST = timedelta(hours=1)  # the spoke's agent looks for a renewal only every few minutes
CLOCK_SKEW = timedelta(minutes=5)  # a spoke's clock may be behind the hub's

_CLUSTER = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")  # a namespace on the hub bears the cluster's name: a DNS label
_HUB = re.compile(r"[a-z0-9._-]{1,255}")  # a SPIFFE trust domain

_PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """The certificate authority of one hub: it names the clusters, and the gateway that they dial."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def create(cls, common_name: str, *, now: datetime, lifetime: timedelta) -> "Authority":
        """A new authority that signs leaves only, no other authority."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _name(common_name)
        certificate = (
            _certificate(subject, subject, key.public_key(), now - CLOCK_SKEW, now + lifetime)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .sign(key, hashes.SHA256())
        )
        return cls(key=key, certificate=certificate)

    @classmethod
    def load(cls, key_pem: bytes, certificate_pem: bytes) -> "Authority":
        """The authority that a Secret or a folder holds.

        Raises:
            Refused: they are no elliptic-curve key and the authority's certificate of that key.
        """
        try:
            key = load_pem_private_key(key_pem, password=None)
            certificate = x509.load_pem_x509_certificate(certificate_pem)
            constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        except (ValueError, TypeError, UnsupportedAlgorithm, x509.ExtensionNotFound) as error:
            raise Refused(
                f"the certificate authority cannot be read ({error}); it needs a PEM key and its CA certificate"
            ) from error
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise Refused("the certificate authority's key is not an elliptic-curve key; give one on P-256 or P-384")
        if certificate.public_key() != key.public_key() or not constraints.ca:
            raise Refused(
                "the certificate authority's certificate is not the CA certificate of its key; give the two that belong together"
            )
        return cls(key=key, certificate=certificate)

    @property
    def key_pem(self) -> bytes:
        """The private key, PKCS #8 in PEM, not encrypted."""
        return _key_pem(self.key)

    @property
    def certificate_pem(self) -> bytes:
        """What both ends trust. A bundle of two authorities is their texts one after the other."""
        return self.certificate.public_bytes(Encoding.PEM)

    def sign_client(self, csr_pem: bytes, *, cluster: str, hub: str, now: datetime, lifetime: timedelta = LIFETIME) -> bytes:
        """The certificate (PEM) by which `cluster` is known to gateways of `hub`; of the request, only its public key.

        It ends with the authority at the latest.

        Raises:
            Refused: the request, the names or the lifetime cannot be used.
        """
        if not _CLUSTER.fullmatch(cluster):
            raise Refused(f"{cluster!r} is no name of a managed cluster; it must be a DNS label of at most 63 characters")
        if not _HUB.fullmatch(hub):
            raise Refused(f"{hub!r} is no hub cluster id; it must be lower-case letters, digits, '.', '_' and '-'")
        if lifetime < SHORTEST:
            raise Refused(f"a client certificate of {lifetime} is too short; the least is {SHORTEST}")
        builder = (
            self._leaf(_name(cluster), _public_key(csr_pem, cluster), now, lifetime)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
            .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(identity(hub, cluster))]), critical=False)
        )
        return builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM)

    def issue_server(self, names: Sequence[str], *, now: datetime, lifetime: timedelta = LIFETIME) -> tuple[bytes, bytes]:
        """A key and a certificate (PEM) for a gateway that answers under these TLS server names, and for no client."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            self._leaf(_name("gateway"), key.public_key(), now, lifetime)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        )
        return _key_pem(key), builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM)

    def _leaf(self, subject: x509.Name, key: _PublicKey, now: datetime, lifetime: timedelta) -> x509.CertificateBuilder:
        end = self.certificate.not_valid_after_utc
        if end <= now:
            raise Refused(f"the certificate authority ended on {end:%Y-%m-%d %H:%M} UTC; renew it before it signs again")
        start = max(now - CLOCK_SKEW, self.certificate.not_valid_before_utc)
        return (
            _certificate(subject, self.certificate.subject, key, start, min(now + lifetime, end))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )


def _public_key(csr_pem: bytes, cluster: str) -> _PublicKey:
    try:
        request = x509.load_pem_x509_csr(csr_pem)
        key = request.public_key()
        proven = request.is_signature_valid
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise Refused(f"the certificate request of {cluster} cannot be read ({error}); it must be PKCS #10 in PEM") from error
    if not proven:
        raise Refused(f"the certificate request of {cluster} is not signed with its own key; the requester must hold the key")
    match key:
        case ec.EllipticCurvePublicKey(curve=ec.SECP256R1() | ec.SECP384R1()):
            return key
        case rsa.RSAPublicKey(key_size=size) if size >= 2048:
            return key
    raise Refused(
        f"the certificate request of {cluster} has a key that is not used here; take P-256, P-384 or RSA of 2048 bits or more"
    )


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: _PublicKey, start: datetime, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, ADDON), x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
