"""What the add-on's manager meets on a hub: clusters, their ManagedClusterAddOns, and requests as OCM's agent files them."""

import warnings
from base64 import b64encode
from collections.abc import Sequence
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from fedspoke.api.base import Object
from fedspoke.api.names import ADDON, SIGNER
from fedspoke.hub.addon.registration import DNS_NAME, subjects

KEY = ec.generate_private_key(ec.SECP256R1())
DELETING = "2026-11-21T12:00:00Z"


def cluster(name: str = "c1", *, accepted: bool = True, deleting: bool = False) -> Object:
    return {
        "apiVersion": "cluster.open-cluster-management.io/v1",
        "kind": "ManagedCluster",
        "metadata": {"name": name} | ({"deletionTimestamp": DELETING} if deleting else {}),
        "spec": {"hubAcceptsClient": accepted},
    }


def enabled(name: str = "c1", *, deleting: bool = False, **status: Any) -> Object:
    """The ManagedClusterAddOn of a cluster."""
    metadata = {"name": ADDON, "namespace": name, "uid": f"uid-{name}", "generation": 1}
    return {
        "apiVersion": "addon.open-cluster-management.io/v1alpha1",
        "kind": "ManagedClusterAddOn",
        "metadata": metadata | ({"deletionTimestamp": DELETING} if deleting else {}),
    } | ({"status": status} if status else {})


def csr(
    user: str,
    groups: Sequence[str],
    names: Sequence[x509.GeneralName] = (x509.DNSName(DNS_NAME),),
    extensions: Sequence[x509.ExtensionType] = (),
) -> bytes:
    """The DER of a request for a name."""
    parts = [*((NameOID.ORGANIZATION_NAME, each) for each in groups), (NameOID.COMMON_NAME, user)]
    with warnings.catch_warnings(action="ignore"):  # X.509 allows 64 characters, and OCM's names for its agents have more
        name = x509.Name([x509.NameAttribute(oid, value, _validate=False) for oid, value in parts])
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    for extension in [*([x509.SubjectAlternativeName(names)] if names else []), *extensions]:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(Encoding.DER)


def request(
    of: str = "c1",
    signer: str = SIGNER,
    *,
    named: str | None = None,
    user: str | None = None,
    groups: Sequence[str] | None = None,
    labels: Object | None = None,
    der: bytes | None = None,
    usages: Sequence[str] = ("digital signature", "key encipherment", "client auth"),
    status: Object | None = None,
) -> Object:
    """The CertificateSigningRequest that an agent of cluster `of` files for `named`, itself if nobody else is named."""
    subject = subjects(named or of).get(signer) or subjects(named or of)[SIGNER]
    pem = _pem(der if der is not None else csr(subject.user, subject.groups))
    metadata = {
        "name": f"addon-{of}-{ADDON}-x7k2p",
        "labels": {
            "open-cluster-management.io/cluster-name": of,
            "open-cluster-management.io/addon-name": ADDON,
        }
        if labels is None
        else labels,
    }
    ours = [f"system:open-cluster-management:{of}", "system:open-cluster-management:managed-clusters", "system:authenticated"]
    return {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": metadata,
        "spec": {
            "signerName": signer,
            "request": b64encode(pem).decode(),
            "usages": list(usages),
            "username": f"system:open-cluster-management:{of}:agent1" if user is None else user,
            "groups": ours if groups is None else list(groups),
        },
        "status": status or {},
    }


def _pem(der: bytes) -> bytes:
    body = b64encode(der).decode()
    lines = [body[i : i + 64] for i in range(0, len(body), 64)]
    return "\n".join(["-----BEGIN CERTIFICATE REQUEST-----", *lines, "-----END CERTIFICATE REQUEST-----", ""]).encode()
