"""A Kubernetes API server with its etcd: no node and no controller, so that nothing happens that a test does not do."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from fedspoke.local import ports
from support.fleet import binaries, control_plane, kubeconfig
from support.fleet.certificates import Authority, service_account_key
from support.fleet.kubernetes import Kubernetes
from support.fleet.processes import Process, running
from support.fleet.wait import until

_SECONDS_TO_READY = 90


@dataclass(frozen=True, slots=True)
class ApiServer:
    """A running API server: how a test asks it, the file by which a program does, and its process."""

    kubernetes: Kubernetes
    kubeconfig: Path
    process: Process


@contextmanager
def api_server(folder: Path, say: binaries.Say = print) -> Iterator[ApiServer]:
    """An empty API server on ports that are free, with all its files in `folder`; its one user may do anything.

    Raises:
        Failed: a program cannot be built or does not start.
    """
    programs = [binaries.program(name, say) for name in ("etcd", "kube-apiserver")]
    place = control_plane.Place("127.0.0.1", *ports.free(3))
    authority = Authority(folder)
    admin = authority.issue("admin", "system:masters")
    config = kubeconfig.write(folder / "admin.conf", place.url, authority.certificate, admin)
    apiserver = [
        *control_plane.kube_apiserver(place, authority, service_account_key(folder)),
        "--authorization-mode=RBAC",
        "--endpoint-reconciler-type=none",  # which would refuse a loopback address
    ]
    with (
        closing(Kubernetes(config)) as kubernetes,
        running(programs[0], *control_plane.etcd(place, folder), log=folder / "etcd.log") as etcd,
        running(programs[1], *apiserver, log=folder / "kube-apiserver.log") as process,
    ):
        until("the API server is ready", kubernetes.ready, _SECONDS_TO_READY, [etcd, process])
        yield ApiServer(kubernetes, config, process)
