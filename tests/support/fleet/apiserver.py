"""A Kubernetes API server with its etcd: no node and no controller, so that nothing happens that a test does not do."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from fedspoke.local import ports
from support.fleet import binaries
from support.fleet.certificates import Authority, service_account_key
from support.fleet.kubernetes import Kubernetes
from support.fleet.processes import Process, running

_ADDRESS = "127.0.0.1"
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
    authority = Authority(folder)
    server = authority.issue("kube-apiserver", addresses=(_ADDRESS,))
    admin = authority.issue("admin", group="system:masters")
    tokens = str(service_account_key(folder))
    client_port, peer_port, port = ports.free(3)
    store, peer, url = (
        f"{scheme}://{_ADDRESS}:{p}" for scheme, p in (("http", client_port), ("http", peer_port), ("https", port))
    )
    etcd = [
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls={store}",
        f"--advertise-client-urls={store}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",  # what a test keeps need not outlive the machine
    ]
    apiserver = [
        f"--etcd-servers={store}",
        f"--bind-address={_ADDRESS}",
        f"--advertise-address={_ADDRESS}",
        f"--secure-port={port}",
        "--endpoint-reconciler-type=none",  # which would refuse a loopback address
        "--service-cluster-ip-range=10.98.0.0/24",
        "--authorization-mode=RBAC",
        f"--tls-cert-file={server.certificate}",
        f"--tls-private-key-file={server.key}",
        f"--client-ca-file={authority.certificate}",
        f"--requestheader-client-ca-file={authority.certificate}",  # a controller that serves looks for it
        "--requestheader-allowed-names=front-proxy",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-signing-key-file={tokens}",
        f"--service-account-key-file={tokens}",
        "--profiling=false",
    ]
    kubeconfig = folder / "admin.conf"
    user = {"client-certificate": str(admin.certificate), "client-key": str(admin.key)}
    kubeconfig.write_text(json.dumps(_kubeconfig(url, str(authority.certificate), user)))
    with (
        closing(Kubernetes(url, str(authority.certificate), admin)) as kubernetes,
        running(programs[0], *etcd, log=folder / "etcd.log"),
        running(programs[1], *apiserver, log=folder / "kube-apiserver.log") as process,
    ):
        process.until(kubernetes.ready, "the API server was ready", _SECONDS_TO_READY)
        yield ApiServer(kubernetes, kubeconfig, process)


def _kubeconfig(url: str, authority: str, user: dict[str, str]) -> dict[str, object]:
    """How Kubernetes' programs find a server and say who they are (JSON is YAML, too)."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "fleet", "cluster": {"server": url, "certificate-authority": authority}}],
        "users": [{"name": "admin", "user": user}],
        "contexts": [{"name": "admin", "context": {"cluster": "fleet", "user": "admin"}}],
        "current-context": "admin",
    }
