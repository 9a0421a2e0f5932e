"""The certificates of one cluster: an authority of its own, and what it issues to servers and to users."""

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_LIFETIME = timedelta(days=1)
_Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True)
class Pair:
    """The files of a key and of its certificate."""

    key: Path
    certificate: Path


class Authority:
    """What signs a cluster's certificates; `certificate` is the file by which others trust it, `key` what it signs with."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("fleet")
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        signed = _builder(self._name, self._name, self._key).add_extension(constraints, critical=True)
        self.certificate = folder / "ca.crt"
        self.certificate.write_bytes(_pem(signed.sign(self._key, hashes.SHA256())))
        self.key = folder / "ca.key"
        self.key.write_bytes(_private(self._key))

    def issue(self, name: str, *groups: str, addresses: tuple[str, ...] = (), hosts: tuple[str, ...] = ()) -> Pair:
        """A key and certificate for a user `name` of these groups, or for a server at these IP addresses and host names."""
        key = ec.generate_private_key(ec.SECP256R1())
        usages = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
        asked = _builder(_name(name, *groups), self._name, key).add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        if addresses or hosts:
            names = [*map(x509.IPAddress, map(ipaddress.ip_address, addresses)), *map(x509.DNSName, hosts)]
            asked = asked.add_extension(x509.SubjectAlternativeName(names), critical=False)
        file = name.rpartition(":")[2]  # Kubernetes' own users have colons in their names
        pair = Pair(self._folder / f"{file}.key", self._folder / f"{file}.crt")
        pair.key.write_bytes(_private(key))
        pair.certificate.write_bytes(_pem(asked.sign(self._key, hashes.SHA256())))
        return pair


def service_account_key(folder: Path) -> Path:
    """The key that service accounts' tokens are signed with; the API server takes its public half from the same file."""
    file = folder / "service-accounts.key"
    file.write_bytes(_private(rsa.generate_private_key(public_exponent=65537, key_size=2048)))
    return file


def _name(common_name: str, *groups: str) -> x509.Name:
    organizations = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name), *organizations])


def _builder(subject: x509.Name, issuer: x509.Name, key: _Key) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + _LIFETIME)
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _private(key: _Key) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
