"""Where a spoke's agent says how a federation's collaborator is doing; the hub hears it through the ManifestWork's feedback.

The ManifestWork makes an empty ConfigMap and lets the agent write to it: to this one, not to others in the namespace, among
which are those that say whom to believe.
"""

from fedspoke.api.base import Object
from fedspoke.api.names import labels

PHASE, REASON = "phase", "reason"
"""Of the pod; and, in one sentence, what keeps it from running, or nothing."""

_RBAC = "rbac.authorization.k8s.io"


def report_name(run: str) -> str:
    """Of the ConfigMap."""
    return f"{run}-report"


def report(run: str, namespace: str, agent: str) -> list[Object]:
    """The ConfigMap of one federation on one spoke, and the agent's right to write to it."""
    name = report_name(run)
    metadata = {"name": name, "namespace": namespace, "labels": labels(run)}
    rule = {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": [name], "verbs": ["get", "patch"]}
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata},
        {"apiVersion": f"{_RBAC}/v1", "kind": "Role", "metadata": metadata, "rules": [rule]},
        {
            "apiVersion": f"{_RBAC}/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": _RBAC, "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": agent, "namespace": namespace}],
        },
    ]
