"""The hub's certificate authority lives in a Secret: one that was put there is used, else one is made and renewed in time.

A new authority is believed a day before it signs, so that every gateway and spoke has heard of it by then; the old one is
believed until it ends. What lies in the Secret is enough to go on: nothing else remembers where a renewal stands.
"""

from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from fedspoke.api.base import Object
from fedspoke.api.errors import Failed, Refused
from fedspoke.api.names import ADDON, OURS
from fedspoke.hub.addon.signer import CLOCK_SKEW, Authority
from fedspoke.hub.controller import kinds
from fedspoke.hub.trust import Trust
from fedspoke.kube.client import Kubernetes
from fedspoke.manifestworks.envoy import AUTHORITY_FILE, CERTIFICATE_FILE, KEY_FILE

NAME = f"{ADDON}-ca"
LIFETIME = timedelta(days=365)
_RENEWED = LIFETIME / 3
"""So long before it ends an authority gets its successor."""
_KNOWN = timedelta(days=1)
"""So long a successor is believed before it signs."""

_KEY, _CERTIFICATE = KEY_FILE, CERTIFICATE_FILE  # signs
_NEXT_KEY, _NEXT_CERTIFICATE = "next.key", "next.crt"  # will sign; believed already
_BEFORE = AUTHORITY_FILE  # signs no more; believed still

_Data = Mapping[str, bytes]


def trust(kube: Kubernetes, namespace: str, now: datetime) -> Trust:
    """What the hub's certificates rest on now; the Secret is made, or brought up to date, where that is due.

    Raises:
        Failed: the API server does not answer, or another controller was quicker.
        Refused: the Secret holds no authority.
    """
    found = kube.get(kinds.SECRET, NAME, namespace)
    data: _Data = _data(found)
    if found is None:
        data = renewed({}, now) or {}
        kube.create(_secret(namespace, data))
    elif _is_ours(found) and (due := renewed(data, now)):
        data = due
        if kube.replace(found | {"data": _encoded(due)}) is None:
            raise Failed(f"the Secret {namespace}/{NAME} was changed at the same time; it is read again")
    try:
        return Trust(authority=_load(data), bundle=bundle(data, now), hub=_hub(kube))
    except Refused as refused:
        raise Refused(f"the Secret {namespace}/{NAME} cannot be used: {refused}") from refused


def _hub(kube: Kubernetes) -> str:
    """The hub's name in its clusters' identities: the UID of its namespace kube-system.

    Every cluster has one and it never changes. A ClusterClaim `id.k8s.io` may come later or be changed, and no certificate
    would be worth anything from then on.
    """
    namespace = kube.get(kinds.NAMESPACE, "kube-system")
    if namespace is None:
        raise Failed("the hub has no namespace kube-system, by whose UID it is known to its clusters")
    uid: str = namespace["metadata"]["uid"]
    return uid


def renewed(data: _Data, now: datetime) -> _Data | None:
    """What the Secret is to hold instead; None as long as it is right."""
    if not data:
        return _signing(_new(now))
    signing, coming = _load(data), _load(data, _NEXT_KEY, _NEXT_CERTIFICATE) if _NEXT_KEY in data else None
    end = signing.certificate.not_valid_after_utc
    believed = b"".join(map(_pem, _living(data[_CERTIFICATE] + data.get(_BEFORE, b""), now)))
    if coming and coming.certificate.not_valid_after_utc <= now:  # nobody looked for longer than it lives
        coming = None
    if coming and (end <= now or now >= coming.certificate.not_valid_before_utc + CLOCK_SKEW + _KNOWN):
        return _signing(coming) | {_BEFORE: believed}
    if end <= now:
        return _signing(_new(now))
    if coming is None and now >= end - _RENEWED:
        fresh = _new(now)
        return {**data, _NEXT_KEY: fresh.key_pem, _NEXT_CERTIFICATE: fresh.certificate_pem}
    return None


def bundle(data: _Data, now: datetime) -> bytes:
    """All that is believed, in PEM: the authority that signs, the one that will, and those before that have not ended."""
    texts = b"".join(data.get(name, b"") for name in (_CERTIFICATE, _NEXT_CERTIFICATE, _BEFORE))
    return b"".join(dict.fromkeys(map(_pem, _living(texts, now))))


def _living(texts: bytes, now: datetime) -> Iterator[x509.Certificate]:
    try:
        certificates = x509.load_pem_x509_certificates(texts)
    except ValueError as error:
        raise Refused(f"its certificates cannot be read ({error}); they must be PEM") from error
    return (each for each in certificates if each.not_valid_after_utc > now)


def _load(data: _Data, key: str = _KEY, certificate: str = _CERTIFICATE) -> Authority:
    if missing := [name for name in (key, certificate) if name not in data]:
        raise Refused(f"it has no {' and no '.join(missing)}")
    return Authority.load(data[key], data[certificate])


def _new(now: datetime) -> Authority:
    # Two authorities of one name would be told apart by their keys alone, which not every TLS library does.
    return Authority.create(f"{ADDON} {now:%Y-%m-%d %H:%M:%S}", now=now, lifetime=LIFETIME)


def _signing(authority: Authority) -> dict[str, bytes]:
    return {_KEY: authority.key_pem, _CERTIFICATE: authority.certificate_pem}


def _secret(namespace: str, data: _Data) -> Object:
    metadata = {"name": NAME, "namespace": namespace, "labels": OURS}
    return {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": metadata, "data": _encoded(data)}


def _is_ours(secret: Object) -> bool:
    return OURS.items() <= (secret["metadata"].get("labels") or {}).items()


def _data(secret: Object | None) -> dict[str, bytes]:
    return {name: b64decode(value) for name, value in ((secret or {}).get("data") or {}).items()}


def _encoded(data: _Data) -> dict[str, str]:
    return {name: b64encode(value).decode() for name, value in data.items()}


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)
