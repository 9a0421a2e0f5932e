"""May this request for a certificate be granted? Only if the API server's word for who filed it proves the name that it asks for.

A request's labels are hints that anyone may set, and its text is the requester's own. What cannot be forged is `spec.username`
and `spec.groups`, which the API server writes: a klusterlet's agent is `system:open-cluster-management:<cluster>:<agent>`.
"""

import re
import warnings
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography import x509
from cryptography.x509.oid import NameOID

from fedspoke.api.base import Object
from fedspoke.api.errors import Refused
from fedspoke.api.names import ADDON, SIGNER
from fedspoke.hub.addon.registration import DNS_NAME, KUBE_CLIENT, Subject, subjects

_ADDON_LABEL, _CLUSTER_LABEL = "open-cluster-management.io/addon-name", "open-cluster-management.io/cluster-name"
_USAGES = {"client auth", "digital signature", "key encipherment"}
# No colon in either part, so that no cluster's name is the beginning of another's and no add-on passes for a klusterlet.
_KLUSTERLET = re.compile(r"system:open-cluster-management:([a-z0-9]([a-z0-9-]*[a-z0-9])?):([^:]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """What of the hub a request is judged by: its clusters, and those of their ManagedClusterAddOns that are ours."""

    clusters: Mapping[str, Object]
    addons: Mapping[str, Object]


def concerns(request: Object) -> bool:
    """Whether a request is ours to judge: all for our signer, and those for the hub's API that say that they are our add-on's."""
    signer, labels = request["spec"]["signerName"], request["metadata"].get("labels") or {}
    return bool(signer == SIGNER or (signer == KUBE_CLIENT and labels.get(_ADDON_LABEL) == ADDON))


def awaits(request: Object) -> bool:
    """Whether something is still to be done with a request that concerns us."""
    said, certificate = conditions(request), (request.get("status") or {}).get("certificate")
    if said & {"Denied", "Failed"}:
        return False
    return "Approved" not in said or (request["spec"]["signerName"] == SIGNER and not certificate)


def conditions(request: Object) -> set[str]:
    """What has been said of a request: Approved, Denied, Failed."""
    return {each["type"] for each in (request.get("status") or {}).get("conditions") or []}


def granted(request: Object, hub: Registered) -> str:
    """The cluster to which a request is granted.

    Raises:
        Refused: it is not; the text is the reason that its requester is told.
    """
    spec = request["spec"]
    cluster = _requester(spec)
    if (labelled := (request["metadata"].get("labels") or {}).get(_CLUSTER_LABEL, cluster)) != cluster:
        raise Refused(f"the request is labelled as {labelled}'s, but an agent of {cluster} filed it")
    _stands(cluster, hub)
    if set(spec.get("usages") or ()) != _USAGES:
        asked = ", ".join(spec.get("usages") or ()) or "nothing"
        raise Refused(f"the request asks for the usages {asked}; it must be {', '.join(sorted(_USAGES))}")
    name, extensions = _read(spec["request"])
    _named(name, cluster, subjects(cluster)[spec["signerName"]])
    _extends_nothing(extensions, cluster)
    return cluster


def _requester(spec: Object) -> str:
    user = spec.get("username") or ""
    found = _KLUSTERLET.fullmatch(user)
    if not found:
        raise Refused(
            f"{user or 'nobody'} is no klusterlet's agent; only system:open-cluster-management:<cluster>:<agent> may ask"
        )
    cluster = found.group(1)
    if (group := f"system:open-cluster-management:{cluster}") not in (spec.get("groups") or ()):
        raise Refused(f"{user} is not in the group {group}, so it is no agent of {cluster}")
    return cluster


def _stands(cluster: str, hub: Registered) -> None:
    known, addon = hub.clusters.get(cluster), hub.addons.get(cluster)
    if known is None:
        raise Refused(f"the hub knows no cluster {cluster}")
    if "deletionTimestamp" in known["metadata"]:
        raise Refused(f"cluster {cluster} is being deleted")
    if not (known.get("spec") or {}).get("hubAcceptsClient"):
        raise Refused(f"cluster {cluster} is not accepted: spec.hubAcceptsClient of its ManagedCluster is not true")
    if addon is None:
        raise Refused(f"the add-on {ADDON} is not enabled on {cluster}: it has no ManagedClusterAddOn of this name")
    if "deletionTimestamp" in addon["metadata"]:
        raise Refused(f"the add-on {ADDON} is being removed from {cluster}")


def _read(encoded: str) -> tuple[x509.Name, list[x509.Extension[x509.ExtensionType]]]:
    """The name and the extensions that are asked for, once the requester has proven that it holds the key."""
    try:
        csr = x509.load_pem_x509_csr(b64decode(encoded))
        with warnings.catch_warnings(action="ignore"):  # OCM's names for agents are longer than the 64 characters of X.509
            proven, name, extensions = csr.is_signature_valid, csr.subject, list(csr.extensions)
    except Exception as error:  # whatever a stranger's bytes make of the parser, they are no request
        raise Refused(f"the request cannot be read ({error}); it must be PKCS #10 in PEM") from error
    if not proven:
        raise Refused("the request is not signed with its own key; the requester must hold the key")
    return name, extensions


def _named(name: x509.Name, cluster: str, subject: Subject) -> None:
    allowed = [(NameOID.COMMON_NAME, subject.user), *((NameOID.ORGANIZATION_NAME, group) for group in subject.groups)]
    asked = [(each.oid, each.value) for each in name]
    if len(asked) != len(allowed) or set(asked) != set(allowed):
        should = ",".join([f"CN={subject.user}", *(f"O={group}" for group in subject.groups)])
        raise Refused(f"an agent of {cluster} asks for the name {name.rfc4514_string()}; it must be {should}")


def _extends_nothing(extensions: list[x509.Extension[x509.ExtensionType]], cluster: str) -> None:
    for each in extensions:
        if not isinstance(each.value, x509.SubjectAlternativeName):
            raise Refused(
                f"{cluster} asks for the extension {each.oid.dotted_string}; it may ask for none but the name {DNS_NAME}"
            )
        if list(each.value) != [x509.DNSName(DNS_NAME)]:
            asked = ", ".join(str(name.value) for name in each.value)
            raise Refused(f"{cluster} asks for the alternative names {asked}; it may ask for none but {DNS_NAME}")
