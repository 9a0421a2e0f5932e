"""Open Cluster Management on an API server: its kinds, and its placement controller as a process."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import yaml

from fedspoke.local import ports
from support.fleet import binaries
from support.fleet.apiserver import ApiServer
from support.fleet.kubernetes import Kind
from support.fleet.processes import Process, running
from support.fleet.wait import until

CLUSTER = Kind("cluster.open-cluster-management.io/v1", "managedclusters", namespaced=False, with_status=True)
CLUSTER_SET = Kind("cluster.open-cluster-management.io/v1beta2", "managedclustersets", namespaced=False)
BINDING = Kind("cluster.open-cluster-management.io/v1beta2", "managedclustersetbindings")
PLACEMENT = Kind("cluster.open-cluster-management.io/v1beta1", "placements")
DECISION = Kind("cluster.open-cluster-management.io/v1beta1", "placementdecisions", with_status=True)
SCORE = Kind("cluster.open-cluster-management.io/v1alpha1", "addonplacementscores", with_status=True)
KINDS = (PLACEMENT, DECISION, SCORE, BINDING, CLUSTER_SET, CLUSTER)

_DEFINITION = Kind("apiextensions.k8s.io/v1", "customresourcedefinitions", namespaced=False)
_MODULE = "open-cluster-management.io/ocm"
_SECONDS = 30


def define_kinds(server: ApiServer, say: binaries.Say = print) -> None:
    """Make an API server know the kinds that OCM's placement reads and writes, by OCM's own definitions of them.

    Raises:
        Failed: the definitions cannot be had.
    """
    folder = binaries.manifests("ocm", _MODULE, "manifests/cluster-manager/hub/crds", say)
    for file in sorted(folder.glob("*_clusters.open-cluster-management.io_*")):
        server.kubernetes.apply(_DEFINITION, yaml.safe_load(file.read_text()))
    for kind in KINDS:
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
