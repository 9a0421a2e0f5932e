"""The envelope in which OCM carries objects from the hub to one cluster (work.open-cluster-management.io/v1)."""

from collections.abc import Iterator, Mapping, Sequence

from fedspoke.api.federated_learning import FederatedLearning, Object
from fedspoke.api.names import labels, run_name
from fedspoke.manifestworks.report import PHASE, REASON, report_name

# What the work agent reports back into the ManifestWork's status: of the Job, which only asks, nothing.
_REPORT = {PHASE: f".data.{PHASE}", REASON: f".data.{REASON}"}


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
            "manifestConfigs": [config for it in manifests for config in _configs(it, run)],
        },
    }


def _configs(manifest: Object, run: str) -> Iterator[Object]:
    match manifest:
        case {"kind": "Job", "metadata": metadata}:
            # The agent applies everything again every few minutes. By its default it would write the Job whole, without the
            # selector that Kubernetes gave it and that nobody may change, and call the work not applied from then on.
            ours = {"type": "ServerSideApply", "serverSideApply": {"force": True}}
            yield _config("batch", "jobs", metadata) | {"updateStrategy": ours}
        case {"kind": "ConfigMap", "metadata": {"name": name} as metadata} if name == report_name(run):
            # What the spoke's agent writes into it is not the hub's to put right.
            yield _config("", "configmaps", metadata) | _feedback(_REPORT) | {"updateStrategy": {"type": "CreateOnly"}}


def _config(group: str, resource: str, metadata: Object) -> Object:
    where = {"namespace": metadata["namespace"], "name": metadata["name"]}
    return {"resourceIdentifier": {"group": group, "resource": resource} | where}


def _feedback(paths: Mapping[str, str]) -> Object:
    return {"feedbackRules": [{"type": "JSONPaths", "jsonPaths": [{"name": name, "path": path} for name, path in paths.items()]}]}
