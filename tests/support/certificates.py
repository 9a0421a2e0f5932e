"""Certificates as tests need them: issued by the product's own signer, installed as the kubelet would."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509

from fedspoke.hub.addon.signer import Authority
from fedspoke.local.identity import install, request
from fedspoke.manifestworks.envoy import AUTHORITY_FILE, CERTIFICATE_FILE, KEY_FILE

HUB = "hub-7f3a"


def now() -> datetime:
    return datetime.now(UTC)


def authority(common_name: str = "federated-learning test") -> Authority:
    return Authority.create(common_name, now=now() - timedelta(days=9), lifetime=timedelta(days=30))


def client(folder: Path, signer: Authority, cluster: str, at: datetime | None = None) -> int:
    """A cluster's key and certificate in a folder; returns the serial number."""
    key, csr = request()
    chain = signer.sign_client(csr, cluster=cluster, hub=HUB, now=at or now())
    return _install(folder, key, chain)


def server(folder: Path, signer: Authority, *names: str) -> int:
    """A gateway's key and certificate in a folder; returns the serial number."""
    return _install(folder, *signer.issue_server(names, now=now()))


def bundle(folder: Path, *authorities: Authority) -> None:
    install(folder, {AUTHORITY_FILE: b"".join(each.certificate_pem for each in authorities)})


def context(trusted: Path, own: Path | None = None) -> ssl.SSLContext:
    """What a client without Envoy dials with."""
    context = ssl.create_default_context(cafile=trusted / AUTHORITY_FILE)
    if own is not None:
        context.load_cert_chain(own / CERTIFICATE_FILE, own / KEY_FILE)
    return context


def serial(folder: Path) -> int:
    """Of the certificate that is in a folder now."""
    return x509.load_pem_x509_certificate((folder / CERTIFICATE_FILE).read_bytes()).serial_number


def _install(folder: Path, key: bytes, chain: bytes) -> int:
    install(folder, {KEY_FILE: key, CERTIFICATE_FILE: chain})
    return serial(folder)
