"""Where a spoke's agent says how a federation's collaborator is doing; the hub hears it through the ManifestWork's feedback.

The ManifestWork makes an empty ConfigMap and lets the agent write to it: to this one, not to others in the namespace, among
which are those that say whom to believe. Of Secrets the agent may read and remove the one that it makes for the federation.

A run's name has one dot, and what is named by it here a second one: no other federation's object has that name.
"""

from fedspoke.api.base import Object
from fedspoke.api.names import labels

PHASE, REASON = "phase", "reason"
"""Of the pod; and, in one sentence, what keeps it from running, or nothing."""

_RBAC = "rbac.authorization.k8s.io"


def report_name(run: str) -> str:
    """Of the ConfigMap."""
    return f"{run}.report"


def key_name(run: str) -> str:
    """Of the Secret that holds the key of what the federation's collaborator writes; no ManifestWork has it."""
    return f"{run}.key"


def report(run: str, namespace: str, agent: str) -> list[Object]:
    """The ConfigMap of one federation on one spoke, and the agent's rights to what is this federation's alone."""
    name = report_name(run)
    metadata = {"name": name, "namespace": namespace, "labels": labels(run)}
    rules = [
        {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": [name], "verbs": ["get", "patch"]},
        {"apiGroups": [""], "resources": ["secrets"], "resourceNames": [key_name(run)], "verbs": ["get", "delete"]},
    ]
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata},
        {"apiVersion": f"{_RBAC}/v1", "kind": "Role", "metadata": metadata, "rules": rules},
        {
            "apiVersion": f"{_RBAC}/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": _RBAC, "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": agent, "namespace": namespace}],
        },
    ]
