"""What the programs of a control plane are started with: where they listen, and what they trust."""

from dataclasses import dataclass
from pathlib import Path

from support.fleet.certificates import Authority

SERVICES = "10.96.0.0/24"
SERVICE_ADDRESS = "10.96.0.1"
"""Of the API server itself, for the pods: the first of the services."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an API server and its etcd are: every port is Kubernetes' own unless said."""

    address: str
    port: int = 6443
    etcd: int = 2379
    etcd_peer: int = 2380

    @property
    def url(self) -> str:
        """The API server's, as its users know it."""
        return f"https://{self.address}:{self.port}"


def etcd(place: Place, folder: Path) -> list[str]:
    """An etcd that keeps its data in `folder`."""
    store, peer = f"http://127.0.0.1:{place.etcd}", f"http://127.0.0.1:{place.etcd_peer}"
    return [
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls={store}",
        f"--advertise-client-urls={store}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",  # what a test keeps need not outlive the machine
    ]


def kube_apiserver(place: Place, authority: Authority, tokens: Path, *more: str) -> list[str]:
    """An API server; `tokens` is the key that service accounts' tokens are signed with, and `more` are admission plugins."""
    hosts = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")
    server = authority.issue("kube-apiserver", addresses=(place.address, "127.0.0.1", SERVICE_ADDRESS), hosts=hosts)
    return [
        f"--etcd-servers=http://127.0.0.1:{place.etcd}",
        f"--bind-address={place.address}",
        f"--advertise-address={place.address}",
        f"--secure-port={place.port}",
        f"--service-cluster-ip-range={SERVICES}",
        f"--tls-cert-file={server.certificate}",
        f"--tls-private-key-file={server.key}",
        f"--client-ca-file={authority.certificate}",
        f"--requestheader-client-ca-file={authority.certificate}",  # a controller that serves looks for it
        "--requestheader-allowed-names=front-proxy",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-signing-key-file={tokens}",
        f"--service-account-key-file={tokens}",
        "--profiling=false",
        # As OpenShift has it: who changes an object's owners must have the right to delete it, and to hold the owners.
        f"--enable-admission-plugins={','.join(('OwnerReferencesPermissionEnforcement', *more))}",
    ]


def with_nodes(authority: Authority) -> list[str]:
    """What an API server needs on top to have kubelets: they may write what is theirs, and it may ask them."""
    kubelets = authority.issue("apiserver-kubelet-client", "system:masters")
    return [
        "--authorization-mode=Node,RBAC",
        "--allow-privileged=true",
        "--feature-gates=MutatingAdmissionPolicy=true",  # by which a cluster can be made like OpenShift
        "--runtime-config=admissionregistration.k8s.io/v1beta1=true",
        "--kubelet-preferred-address-types=InternalIP",  # their names are known to nobody
        f"--kubelet-certificate-authority={authority.certificate}",
        f"--kubelet-client-certificate={kubelets.certificate}",
        f"--kubelet-client-key={kubelets.key}",
    ]


def kube_controller_manager(kubeconfig: Path, authority: Authority, tokens: Path) -> list[str]:
    """The controllers, each with the rights of its own service account."""
    return [
        *kube_scheduler(kubeconfig),
        "--use-service-account-credentials",
        f"--service-account-private-key-file={tokens}",
        f"--root-ca-file={authority.certificate}",
        f"--cluster-signing-cert-file={authority.certificate}",
        f"--cluster-signing-key-file={authority.key}",
        "--pvclaimbinder-sync-period=2s",  # a pod whose volume is late waits for the next; the default is 15 s
    ]


def kube_scheduler(kubeconfig: Path) -> list[str]:
    """The scheduler, and what every controller is told."""
    return [
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        "--bind-address=127.0.0.1",
        "--leader-elect=false",
    ]
