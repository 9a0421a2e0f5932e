"""The add-on's manager: each cluster that has the add-on enabled gets its agent, its rights and its certificates.

Level-triggered: what is there is read, and only what differs is written. It may be called at any moment, any number of times.
"""

from base64 import b64decode, b64encode
from collections.abc import Iterator
from datetime import datetime

from fedspoke.api.base import Object
from fedspoke.api.errors import Failed, Refused
from fedspoke.api.names import ADDON, SIGNER
from fedspoke.hub.addon.agent_work import WORK, agent_work
from fedspoke.hub.addon.certificate_request import Registered, awaits, concerns, conditions, granted
from fedspoke.hub.addon.health import status
from fedspoke.hub.addon.registration import KUBE_CLIENT, labels, owner, rights
from fedspoke.hub.controller import kinds
from fedspoke.hub.controller.difference import covers, key
from fedspoke.hub.trust import Trust
from fedspoke.kube.client import Kind, Kubernetes

MANAGED_CLUSTER_ADDON = Kind("addon.open-cluster-management.io/v1alpha1", "ManagedClusterAddOn")
CERTIFICATE_REQUEST = Kind("certificates.k8s.io/v1", "CertificateSigningRequest")

_LONGEST = 1000
"""Of a message: a requester's own words are in it."""


def converge(kube: Kubernetes, trust: Trust, image: str, now: datetime) -> list[str]:
    """Bring every cluster's add-on nearer to what it should be; what was done, in sentences for the log.

    Args:
        kube: the hub.
        trust: the authority that signs, and what is believed.
        image: the agent's.
        now: the time.

    Raises:
        Failed: the hub's API server does not answer, or does not let us look.
    """
    # Requests first: what they are judged by is then never older than they are.
    requests = [it for signer in (SIGNER, KUBE_CLIENT) for it in _requests(kube, signer)]
    addons = {it["metadata"]["namespace"]: it for it in kube.all(MANAGED_CLUSTER_ADDON, fields={"metadata.name": ADDON})}
    hub = Registered(clusters={it["metadata"]["name"]: it for it in kube.all(kinds.CLUSTER)}, addons=addons)
    there = {
        key(it): it
        for kind in (kinds.ROLE, kinds.ROLE_BINDING, kinds.SCORE, kinds.WORK)
        for it in kube.all(kind, labels=labels())
    }
    enabled = (it for cluster, it in addons.items() if cluster in hub.clusters and "deletionTimestamp" not in it["metadata"])
    done = [each for addon in enabled for each in _install(kube, addon, there, trust, image, now)]
    return done + [_answered(kube, request, hub, trust, now) for request in requests]


def _requests(kube: Kubernetes, signer: str) -> Iterator[Object]:
    found = kube.all(CERTIFICATE_REQUEST, fields={"spec.signerName": signer})
    return (it for it in found if concerns(it) and awaits(it))


def _install(
    kube: Kubernetes, addon: Object, there: dict[tuple[str, str, str], Object], trust: Trust, image: str, now: datetime
) -> Iterator[str]:
    """The add-on on one cluster. What the API server refuses there is said in its status, and stops no other cluster."""
    cluster, ours = addon["metadata"]["namespace"], owner(addon)
    refused = ""
    try:
        for it in [*rights(cluster, ours), agent_work(cluster, ours, trust.bundle, image)]:
            if not covers(there.get(key(it)), it):
                kube.apply(it)
                yield f"{it['kind']} {it['metadata']['name']} of {cluster} is applied"
    except Failed as failed:
        refused = str(failed)
        yield f"the add-on of {cluster}: {refused}"
    said = status(addon, there.get((kinds.WORK.kind, cluster, WORK)), refused, now)
    if said == addon.get("status"):
        return
    try:
        kube.replace(addon | {"status": said}, "status")
        yield f"the status of the add-on of {cluster} is written"
    except Failed as failed:
        yield f"the status of the add-on of {cluster} is not written: {failed}"


def _answer(kube: Kubernetes, request: Object, hub: Registered, trust: Trust, now: datetime) -> str:
    """Grant a request or deny it. Where another was quicker to write, the next look judges anew."""
    name, ours = request["metadata"]["name"], request["spec"]["signerName"] == SIGNER
    certificate = b""
    try:
        cluster = granted(request, hub)
        if ours:  # before it is approved, as the signer may refuse a key
            csr = b64decode(request["spec"]["request"])
            certificate = trust.authority.sign_client(csr, cluster=cluster, hub=trust.hub, now=now)
    except Refused as refused:
        return _deny(kube, request, str(refused)[:_LONGEST], now)
    approved: Object | None = request
    if "Approved" not in conditions(request):
        said = f"an agent of {cluster} asks for {cluster}'s own name"
        approved = kube.replace(_with(request, "Approved", "OwnName", said, now), "approval")
    if approved and certificate:
        signed = {"certificate": b64encode(certificate).decode()}
        kube.replace(approved | {"status": approved["status"] | signed}, "status")
    return f"certificate request {name}: {'signed' if ours else 'approved'} for {cluster}"


def _answered(kube: Kubernetes, request: Object, hub: Registered, trust: Trust, now: datetime) -> str:
    """What the API server refuses of one request stops no other."""
    try:
        return _answer(kube, request, hub, trust, now)
    except Failed as failed:
        return f"certificate request {request['metadata']['name']}: not answered, {failed}"


def _deny(kube: Kubernetes, request: Object, why: str, now: datetime) -> str:
    if "Approved" in conditions(request):  # by somebody else: an approval cannot be taken back, and it signs nothing
        kube.replace(_with(request, "Failed", "NotOwnName", why, now), "status")
    else:
        kube.replace(_with(request, "Denied", "NotOwnName", why, now), "approval")
    return f"certificate request {request['metadata']['name']}: denied, {why}"


def _with(request: Object, kind: str, reason: str, message: str, now: datetime) -> Object:
    at = f"{now:%Y-%m-%dT%H:%M:%SZ}"
    said = {"type": kind, "status": "True", "reason": reason, "message": message, "lastUpdateTime": at, "lastTransitionTime": at}
    status: Object = request.get("status") or {}
    return request | {"status": status | {"conditions": [*(status.get("conditions") or []), said]}}
