"""Open Cluster Management on an API server: its kinds, and its placement controller as a process."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from fedspoke.api.base import Object
from fedspoke.local import ports
from support.fleet import binaries, manifests
from support.fleet.apiserver import ApiServer
from support.fleet.kubernetes import Kind, Kubernetes
from support.fleet.processes import Process, running
from support.fleet.wait import until

CLUSTER = Kind("cluster.open-cluster-management.io/v1", "managedclusters", namespaced=False, with_status=True)
CLUSTER_SET = Kind("cluster.open-cluster-management.io/v1beta2", "managedclustersets", namespaced=False)
BINDING = Kind("cluster.open-cluster-management.io/v1beta2", "managedclustersetbindings")
PLACEMENT = Kind("cluster.open-cluster-management.io/v1beta1", "placements")
DECISION = Kind("cluster.open-cluster-management.io/v1beta1", "placementdecisions", with_status=True)
SCORE = Kind("cluster.open-cluster-management.io/v1alpha1", "addonplacementscores", with_status=True)
KINDS = (PLACEMENT, DECISION, SCORE, BINDING, CLUSTER_SET, CLUSTER)
WORK = Kind("work.open-cluster-management.io/v1", "manifestworks", with_status=True)
ADDON = Kind("addon.open-cluster-management.io/v1alpha1", "managedclusteraddons", with_status=True)
MANAGEMENT_ADDON = Kind("addon.open-cluster-management.io/v1alpha1", "clustermanagementaddons", namespaced=False)
CLAIM = Kind("cluster.open-cluster-management.io/v1alpha1", "clusterclaims", namespaced=False)

JOINED, AVAILABLE = "ManagedClusterJoined", "ManagedClusterConditionAvailable"
_SECONDS = 30


def define_kinds(server: ApiServer, say: binaries.Say = print) -> None:
    """Make an API server know the kinds that OCM's placement reads and writes, by OCM's own definitions of them.

    Raises:
        Failed: the definitions cannot be had.
    """
    files = manifests.folder(say).glob("cluster-manager/hub/crds/*_clusters.open-cluster-management.io_*")
    for definition in manifests.rendered(sorted(files), {}):
        server.kubernetes.apply(definition)
    for kind in KINDS:
        until(f"{kind.plural} are served", partial(server.kubernetes.all, kind), _SECONDS, [server.process])


def define_works_and_addons(server: ApiServer, say: binaries.Say = print) -> None:
    """Make an API server know ManifestWorks and add-ons, too.

    Raises:
        Failed: the definitions cannot be had.
    """
    folder, names = (
        manifests.folder(say) / "cluster-manager/hub/crds",
        {"AddonAPIServiceCABundle": "", "ClusterManagerNamespace": ""},
    )
    for each in ("*work.open-cluster-management.io_manifestworks*", "*addon.open-cluster-management.io_*"):
        for definition in manifests.rendered(sorted(folder.glob(each)), names):
            definition["spec"].pop("conversion", None)  # by a webhook, which is not here
            server.kubernetes.apply(definition)
    for kind in (WORK, ADDON, MANAGEMENT_ADDON):
        until(f"{kind.plural} are served", partial(server.kubernetes.all, kind), _SECONDS, [server.process])


@contextmanager
def placement_controller(server: ApiServer, folder: Path, say: binaries.Say = print) -> Iterator[Process]:
    """OCM's placement controller at work on an API server, with all its files in `folder`.

    It reads everything that the API server has before it decides anything.

    Raises:
        Failed: it cannot be built.
    """
    program = binaries.program("placement", say)
    (port,) = ports.free(1)
    arguments = [
        "controller",
        f"--kubeconfig={server.kubeconfig}",
        "--namespace=default",
        "--disable-leader-election",
        f"--listen=127.0.0.1:{port}",
        "--kube-api-qps=1000",  # else many Placements in a row wait for their turn
        "--kube-api-burst=1000",
    ]
    with running(program, *arguments, log=folder / "placement.log", environment=os.environ | {"TMPDIR": str(folder)}) as process:
        yield process


def is_available(hub: Kubernetes, cluster: str) -> bool:
    """Whether the hub calls a cluster joined and available."""
    return all(condition(hub.get(CLUSTER, cluster), each) == "True" for each in (JOINED, AVAILABLE))


def condition(document: Object, name: str) -> str | None:
    """The status of one of an object's conditions, if it has it."""
    return next((each["status"] for each in document.get("status", {}).get("conditions", []) if each["type"] == name), None)
