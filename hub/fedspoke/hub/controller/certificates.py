"""The gateway's certificate of one federation and what it believes, as objects: made anew after two thirds of its life.

The controller may write the Secret and not read it, nor any other on the hub. What it must know of it is in an annotation of the
ConfigMap beside it, which is written after the Secret, and which owns it: both go together.
"""

from base64 import b64encode
from collections.abc import Iterable
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from fedspoke.api.base import Object
from fedspoke.api.federated_learning import FederatedLearning
from fedspoke.api.names import CERTIFICATE, labels, run_name, server_name
from fedspoke.hub.aggregator_workload import aggregator_name
from fedspoke.hub.controller.world import World
from fedspoke.hub.trust import Trust
from fedspoke.kube.pods import time
from fedspoke.manifestworks.envoy import AUTHORITY_FILE, CERTIFICATE_FILE, KEY_FILE


def certificates(fl: FederatedLearning, trust: Trust, world: World, now: datetime) -> tuple[Object | None, Object]:
    """The Secret of the gateway's key and certificate, where it is to be written, and the ConfigMap of the authority's."""
    name, ours = aggregator_name(fl), labels(run_name(fl.namespace, fl.name))
    secret, config = f"{name}-certificate", f"{name}-ca"
    told = (world.named("ConfigMap", config) or {"metadata": {}})["metadata"].get("annotations") or {}
    said, written, metadata = told.get(CERTIFICATE, ""), None, {"namespace": fl.namespace, "labels": ours}
    if not _fresh(said, trust, now) or _missed(secret, said, world.events):
        key, certificate = trust.authority.issue_server([server_name(fl.namespace, fl.name)], now=now)
        data = {KEY_FILE: b64encode(key).decode(), CERTIFICATE_FILE: b64encode(certificate).decode()}
        kind = {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls"}
        written = kind | {"metadata": metadata | {"name": secret}, "data": data}
        said = _said(x509.load_pem_x509_certificate(certificate), trust, now)
    believed = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata | {"name": config, "annotations": {CERTIFICATE: said}},
        "data": {AUTHORITY_FILE: trust.bundle.decode()},
    }
    return written, believed


def _said(certificate: x509.Certificate, trust: Trust, now: datetime) -> str:
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return f"{_authority(trust)} {now.isoformat()} {(begin + (end - begin) * 2 / 3).isoformat()}"


def _authority(trust: Trust) -> str:
    return trust.authority.certificate.fingerprint(SHA256()).hex()


def _fresh(said: str, trust: Trust, now: datetime) -> bool:
    """Whether the certificate is the authority's and has a third of its life before it."""
    try:
        authority, _, renewed = said.split()
        return authority == _authority(trust) and now < datetime.fromisoformat(renewed)
    except (ValueError, TypeError):  # whatever is wrong with it, another one is made
        return False


def _missed(secret: str, said: str, events: Iterable[Object]) -> bool:
    """Whether somebody has deleted the Secret: a pod that cannot start without it says so."""
    made = datetime.fromisoformat(said.split()[1])
    return any(
        f'"{secret}" not found' in (it.get("message") or "") and (when := time(it)) and datetime.fromisoformat(when) > made
        for it in events
    )
