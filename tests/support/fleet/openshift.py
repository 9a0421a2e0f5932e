"""What OpenShift asks of every pod, on a cluster that is none: a user of its own choosing, and PodSecurity's strictest profile.

Its `restricted-v2` sets a pod's user and the group of its volumes where the pod names none; the group of its processes stays 0.
"""

from fedspoke.api.base import Object
from support.fleet.kubernetes import Kubernetes

USER = 1_000_680_000

_API, _NAME = "admissionregistration.k8s.io/v1beta1", "restricted-v2"
_CONTEXT = f"Object.spec.securityContext{{runAsUser: {USER}, fsGroup: {USER}}}"
_PODS = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}


def resemble(kubernetes: Kubernetes) -> None:
    """From soon on every new pod of the cluster is such a user's."""
    change = {
        "patchType": "ApplyConfiguration",
        "applyConfiguration": {"expression": f"Object{{spec: Object.spec{{securityContext: {_CONTEXT}}}}}"},
    }
    spec = {
        "matchConstraints": {"resourceRules": [_PODS]},
        "failurePolicy": "Fail",
        "reinvocationPolicy": "Never",
        "mutations": [change],
    }
    kubernetes.apply({"apiVersion": _API, "kind": "MutatingAdmissionPolicy", "metadata": {"name": _NAME}, "spec": spec})
    binding = {"policyName": _NAME}
    kubernetes.apply({"apiVersion": _API, "kind": "MutatingAdmissionPolicyBinding", "metadata": {"name": _NAME}, "spec": binding})


def restricted(namespace: str) -> Object:
    """A namespace that takes no pod which could be more than its processes."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}}
