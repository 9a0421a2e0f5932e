"""The envelope in which OCM carries objects from the hub to one cluster (work.open-cluster-management.io/v1)."""

from collections.abc import Sequence

from fedspoke.api.federated_learning import FederatedLearning, Object
from fedspoke.api.names import labels, run_name

# What the work agent reports back of the Job, into the ManifestWork's status.
_FEEDBACK = [
    {
        "type": "JSONPaths",
        "jsonPaths": [
            {"name": "active", "path": ".status.active"},
            {"name": "succeeded", "path": ".status.succeeded"},
            {"name": "failed", "path": ".status.failed"},
        ],
    }
]


def manifest_work(fl: FederatedLearning, cluster: str, manifests: Sequence[Object]) -> Object:
    """One cluster's work, in the cluster's namespace on the hub, named `<fl namespace>.<fl name>`."""
    run = run_name(fl.namespace, fl.name)
    return {
        "apiVersion": "work.open-cluster-management.io/v1",
        "kind": "ManifestWork",
        "metadata": {"name": run, "namespace": cluster, "labels": labels(run)},
        "spec": {
            "workload": {"manifests": list(manifests)},
            "deleteOption": {"propagationPolicy": "Foreground"},
            "manifestConfigs": [
                {
                    "resourceIdentifier": {
                        "group": "batch",
                        "resource": "jobs",
                        "namespace": job["metadata"]["namespace"],
                        "name": job["metadata"]["name"],
                    },
                    "feedbackRules": _FEEDBACK,
                }
                for job in manifests
                if job["kind"] == "Job"
            ],
        },
    }
