"""How a cluster's agent proves who it is: the two certificates that it may ask for, and what they let it do on the hub.

OCM's agent on the spoke reads `status.registrations` of the ManagedClusterAddOn and files one CertificateSigningRequest a signer,
in exactly these words; certificate_request.py grants no others.
"""

from dataclasses import dataclass

from fedspoke.api.base import Object
from fedspoke.api.names import ADDON, SIGNER

KUBE_CLIENT = "kubernetes.io/kube-apiserver-client"
"""Of the agent's kubeconfig for the hub. We approve these; the hub's controller-manager signs them."""

DNS_NAME = f"{ADDON}.addon.open-cluster-management.io"
"""OCM's agent asks for it in every request of the add-on. No certificate of ours has it."""

_RBAC = "rbac.authorization.k8s.io"
_ROLE = f"open-cluster-management:{ADDON}:agent"
_TOKEN_DRIVER = "token"  # noqa: S105  the name of a way to register


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The name in a certificate."""

    user: str
    groups: tuple[str, ...]


def subjects(cluster: str) -> dict[str, Subject]:
    """The names that one cluster may bear, by signer."""
    group = _group(cluster)
    return {
        # Without the add-on's common group that OCM would give it: what a cluster may do, no other may through it.
        KUBE_CLIENT: Subject(user=f"{group}:agent:{ADDON}", groups=(group,)),
        SIGNER: Subject(user=cluster, groups=(ADDON,)),
    }


def registrations(addon: Object) -> list[Object]:
    """What `status.registrations` of a cluster's ManagedClusterAddOn has to be."""
    status = addon.get("status") or {}
    wanted = [
        {"signerName": signer, "subject": {"user": subject.user, "groups": list(subject.groups)}}
        for signer, subject in subjects(addon["metadata"]["namespace"]).items()
    ]
    if status.get("kubeClientDriver") != _TOKEN_DRIVER:
        return wanted
    # A klusterlet that gives its add-ons tokens says itself, here, who they are on the hub.
    said = [each for each in status.get("registrations") or [] if each["signerName"] == KUBE_CLIENT]
    return [*(said or [{"signerName": KUBE_CLIENT}]), wanted[1]]


def rights(cluster: str, owner: Object) -> list[Object]:
    """What the agent may do on the hub: write the numbers of its AddOnPlacementScore, which is made for it. It reads nothing."""
    metadata = {"name": _ROLE, "namespace": cluster, "labels": labels(), "ownerReferences": [owner]}
    group = "cluster.open-cluster-management.io"
    return [
        {"apiVersion": f"{group}/v1alpha1", "kind": "AddOnPlacementScore", "metadata": metadata | {"name": ADDON}},
        {
            "apiVersion": f"{_RBAC}/v1",
            "kind": "Role",
            "metadata": metadata,
            "rules": [
                {
                    "apiGroups": [group],
                    "resources": ["addonplacementscores/status"],
                    "resourceNames": [ADDON],
                    "verbs": ["patch"],
                },
            ],
        },
        {
            "apiVersion": f"{_RBAC}/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": _RBAC, "kind": "Role", "name": _ROLE},
            "subjects": [{"apiGroup": _RBAC, "kind": "Group", "name": _group(cluster)}],
        },
    ]


def labels() -> dict[str, str]:
    """What the add-on's own objects carry, on hub and spokes; those of a federation have its name besides."""
    return {
        "app.kubernetes.io/name": "fedspoke",
        "app.kubernetes.io/component": "agent",
        "app.kubernetes.io/managed-by": ADDON,
        "open-cluster-management.io/addon-name": ADDON,
    }


def owner(addon: Object) -> Object:
    """The reference by which all that is made for an add-on goes when it is disabled."""
    metadata = addon["metadata"]
    return {"apiVersion": addon["apiVersion"], "kind": addon["kind"], "name": metadata["name"], "uid": metadata["uid"]}


def _group(cluster: str) -> str:
    return f"system:open-cluster-management:cluster:{cluster}:addon:{ADDON}"
