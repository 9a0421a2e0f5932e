"""What the add-on puts on every cluster: one agent with few rights, and the authorities by which gateways of this hub are known.

OCM's registration agent puts the certificates beside them.
"""

from fedspoke.api.base import Object
from fedspoke.api.names import ADDON, CLAIMS
from fedspoke.hub.addon.registration import labels
from fedspoke.manifestworks.collaborator import (
    AGENT,
    CA_CONFIG_MAP,
    CERTIFICATE_SECRET,
    COLLABORATOR,
    DATASETS,
    HARDENED,
    NAMESPACE,
    OUTPUTS,
    UNPRIVILEGED,
)
from fedspoke.manifestworks.envoy import AUTHORITY_FILE

WORK = f"addon-{ADDON}-deploy-0"  # as OCM's add-on framework calls it

_PULL_SECRET = "open-cluster-management-image-pull-credentials"  # noqa: S105  OCM's name for its copy
_LISTS = (DATASETS, OUTPUTS)
"""ConfigMaps that the agent alone writes to."""
_RBAC = "rbac.authorization.k8s.io"
_HUB, _CERTIFICATE, _AUTHORITY = (f"/var/run/fedspoke/{it}" for it in ("hub", "certificate", "ca"))


def agent_work(cluster: str, owner: Object, bundle: bytes, image: str) -> Object:
    """The agent's ManifestWork of one cluster; it goes with its owner, the cluster's ManagedClusterAddOn."""
    namespace = {"group": "", "resource": "namespaces", "name": NAMESPACE}
    return {
        "apiVersion": "work.open-cluster-management.io/v1",
        "kind": "ManifestWork",
        "metadata": {"name": WORK, "namespace": cluster, "labels": labels(), "ownerReferences": [owner]},
        "spec": {
            "workload": {"manifests": _manifests(cluster, bundle, image)},
            # All add-ons share the namespace: ours makes it where there is none, and leaves it to the others. What the agent
            # writes down is not the hub's to put right.
            "manifestConfigs": [
                {"resourceIdentifier": it, "updateStrategy": {"type": "CreateOnly"}} for it in (namespace, *map(_list, _LISTS))
            ],
            "deleteOption": {"propagationPolicy": "SelectivelyOrphan", "selectivelyOrphans": {"orphaningRules": [namespace]}},
        },
    }


def _list(name: str) -> Object:
    return {"group": "", "resource": "configmaps", "name": name, "namespace": NAMESPACE}


def _manifests(cluster: str, bundle: bytes, image: str) -> list[Object]:
    metadata = {"name": AGENT, "namespace": NAMESPACE, "labels": labels()}
    subject = {"kind": "ServiceAccount", "name": AGENT, "namespace": NAMESPACE}
    return [
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            # The label has OCM copy the klusterlet's image pull secret there.
            "metadata": {"name": NAMESPACE, "labels": {"addon.open-cluster-management.io/namespace": "true"}},
        },
        *(
            {
                "apiVersion": "v1",
                "kind": "ServiceAccount",
                "metadata": metadata | {"name": it},
                "automountServiceAccountToken": False,
                "imagePullSecrets": [{"name": _PULL_SECRET}],  # where there is none, images are pulled without
            }
            for it in (AGENT, COLLABORATOR)
        ),
        {"apiVersion": f"{_RBAC}/v1", "kind": "Role", "metadata": metadata, "rules": _rules()},
        {
            "apiVersion": f"{_RBAC}/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": _RBAC, "kind": "Role", "name": AGENT},
            "subjects": [subject],
        },
        # Of no namespace: nodes and pods, to count GPUs, and claims, which go when this role does.
        {
            "apiVersion": f"{_RBAC}/v1",
            "kind": "ClusterRole",
            "metadata": {"name": AGENT, "labels": labels()},
            "rules": _cluster_rules(),
        },
        {
            "apiVersion": f"{_RBAC}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": AGENT, "labels": labels()},
            "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": AGENT},
            "subjects": [subject],
        },
        *({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata | {"name": it}} for it in _LISTS),
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata | {"name": CA_CONFIG_MAP},
            "data": {AUTHORITY_FILE: bundle.decode()},
        },
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": _deployment(cluster, image)},
    ]


def _rules() -> list[Object]:
    """Its Lease; what the trouble of a pod or of a Job without one can be told by; what is offered and asked for, and its Jobs.

    A report that it may write, and a key that it may take away, come with the federation's own work.
    """
    return [
        {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create"]},
        {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "resourceNames": [ADDON], "verbs": ["patch"]},
        {"apiGroups": [""], "resources": ["pods", "events", "persistentvolumeclaims", "configmaps"], "verbs": ["list"]},
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]},  # settings of federations, and the owner's policy
        {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": [*_LISTS], "verbs": ["patch"]},
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create"]},  # a federation's key; it can read no other Secret
        {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["list", "create", "patch", "delete"]},
        # Where the API server asks for it, before one Job may hold another one's end up until it has ended itself.
        {"apiGroups": ["batch"], "resources": ["jobs/finalizers"], "verbs": ["update"]},
    ]


def _cluster_rules() -> list[Object]:
    group = "cluster.open-cluster-management.io"
    return [
        {"apiGroups": [""], "resources": ["nodes", "pods"], "verbs": ["list"]},
        {"apiGroups": [_RBAC], "resources": ["clusterroles"], "resourceNames": [AGENT], "verbs": ["get"]},
        # A claim that is not there yet has no name that a rule could hold it to.
        {"apiGroups": [group], "resources": ["clusterclaims"], "verbs": ["list", "create"]},
        {"apiGroups": [group], "resources": ["clusterclaims"], "resourceNames": list(CLAIMS), "verbs": ["patch", "delete"]},
    ]


def _deployment(cluster: str, image: str) -> Object:
    selector = {"app.kubernetes.io/name": "fedspoke", "app.kubernetes.io/component": "agent"}
    agent = {
        "name": "agent",
        "image": image,
        "command": [
            *("fedspoke", "agent", "--namespace", NAMESPACE, "--cluster", cluster, "--image", image),
            *("--hub-kubeconfig", f"{_HUB}/kubeconfig", "--certificate", _CERTIFICATE, "--authority", _AUTHORITY),
        ],
        "resources": {"requests": {"cpu": "10m", "memory": "96Mi"}, "limits": {"memory": "256Mi"}},
        "securityContext": HARDENED,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108  the pod's own: what the API serves is kept there
            {"name": "hub", "mountPath": _HUB, "readOnly": True},
            {"name": "certificate", "mountPath": _CERTIFICATE, "readOnly": True},
            {"name": "authority", "mountPath": _AUTHORITY, "readOnly": True},
        ],
    }
    pod = {
        "serviceAccountName": AGENT,
        "automountServiceAccountToken": True,
        "securityContext": UNPRIVILEGED,
        "containers": [agent],
        "volumes": [
            {"name": "tmp", "emptyDir": {}},
            # OCM's agent makes both later.
            {"name": "hub", "secret": {"secretName": f"{ADDON}-hub-kubeconfig", "optional": True}},
            {"name": "certificate", "secret": {"secretName": CERTIFICATE_SECRET, "optional": True}},
            {"name": "authority", "configMap": {"name": CA_CONFIG_MAP}},
        ],
    }
    return {
        "replicas": 1,
        "strategy": {"type": "Recreate"},  # two agents would keep one Lease
        "selector": {"matchLabels": selector},
        "template": {"metadata": {"labels": labels()}, "spec": pod},
    }
