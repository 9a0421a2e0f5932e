"""The gateway's certificate of one federation and what it believes, as objects: made anew after two thirds of its life."""

from base64 import b64decode, b64encode
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from fedspoke.api.base import Object
from fedspoke.api.federated_learning import FederatedLearning
from fedspoke.api.names import labels, run_name, server_name
from fedspoke.hub.aggregator_workload import aggregator_name
from fedspoke.hub.controller.world import World
from fedspoke.hub.trust import Trust
from fedspoke.manifestworks.envoy import AUTHORITY_FILE, CERTIFICATE_FILE, KEY_FILE


def certificates(fl: FederatedLearning, trust: Trust, world: World, now: datetime) -> list[Object]:
    """The Secret of the gateway's key and certificate, and the ConfigMap of the authority's."""
    name, ours = aggregator_name(fl), labels(run_name(fl.namespace, fl.name))
    secret, config = f"{name}-certificate", f"{name}-ca"
    data = _fresh(world.named("Secret", secret), trust, now)
    if data is None:
        key, certificate = trust.authority.issue_server([server_name(fl.namespace, fl.name)], now=now)
        data = {KEY_FILE: b64encode(key).decode(), CERTIFICATE_FILE: b64encode(certificate).decode()}
    metadata: Object = {"namespace": fl.namespace, "labels": ours}
    believed = {AUTHORITY_FILE: trust.bundle.decode()}
    return [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/tls",
            "metadata": metadata | {"name": secret},
            "data": data,
        },
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata | {"name": config}, "data": believed},
    ]


def _fresh(secret: Object | None, trust: Trust, now: datetime) -> dict[str, str] | None:
    """What the Secret holds, as long as it is the authority's and has a third of its life before it."""
    data = (secret or {}).get("data") or {}
    try:
        certificate = x509.load_pem_x509_certificate(b64decode(data[CERTIFICATE_FILE]))
        certificate.verify_directly_issued_by(trust.authority.certificate)
        belongs = load_pem_private_key(b64decode(data[KEY_FILE]), None).public_key() == certificate.public_key()
    except Exception:  # noqa: BLE001  whatever is wrong with it, another one is made
        return None
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    fresh = belongs and now < begin + (end - begin) * 2 / 3
    return {name: data[name] for name in (KEY_FILE, CERTIFICATE_FILE)} if fresh else None
