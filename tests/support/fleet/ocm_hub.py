"""A cluster becomes an OCM hub: OCM's kinds, its controllers and its webhooks, each with the rights that OCM gives it.

All of them are processes where OCM has pods. The controllers run on the hub's machine. Each webhook server has a machine to
itself, since all of them want the same ports; the API server reaches it through its service, as it would a pod.
"""

import base64
from functools import partial
from pathlib import Path

from fedspoke.api.base import Object
from support.fleet import binaries, manifests, ocm
from support.fleet.cluster import Cluster
from support.fleet.network import Network
from support.fleet.processes import Process
from support.fleet.wait import until

PROGRAMS = ("registration", "placement", "work", "addon")

_NAMESPACE = "open-cluster-management-hub"
_BOOTSTRAP, _BOOTSTRAPPER = "open-cluster-management", "agent-registration-bootstrap"
_SECONDS = 120
_CONTROLLERS = {  # what each program is asked to be, and its service account
    "registration": ("controller", "registration-controller-sa"),
    "placement": ("controller", "placement-controller-sa"),
    "work": ("manager", "work-controller-sa"),
    "addon": ("manager", "addon-manager-controller-sa"),
}
_WEBHOOKS = {"registration": "registration-webhook-sa", "work": "work-webhook-sa", "addon": "addon-webhook-sa"}
_PORT = 9443
_FIRST_SOCKET = 101
"""Of the webhooks."""


def start(hub: Cluster, network: Network) -> None:
    """Make a cluster a hub; to be called in the main thread, which makes machines.

    Raises:
        Failed: a program ends or is not ready in time.
    """
    folder, authority = (
        manifests.folder() / "cluster-manager/hub",
        base64.b64encode(hub.authority.certificate.read_bytes()).decode(),
    )
    names = {
        "ClusterManagerName": "cluster-manager",
        "ClusterManagerNamespace": _NAMESPACE,
        "AddonAPIServiceCABundle": authority,
        "RegistrationAPIServiceCABundle": authority,
        "RegistrationWebhook.Port": str(_PORT),
    }
    rights = [file for file in folder.glob("*/*") if file.stem.endswith(_RIGHTS) and not file.stem.startswith("token-")]
    definitions = sorted(folder.glob("crds/*.yaml"))
    for document in (*_BOOTSTRAPPING, *manifests.rendered([*definitions, *sorted(rights)], names)):
        hub.kubernetes.apply(document)
    for kind in (*ocm.KINDS, ocm.WORK, ocm.ADDON, ocm.MANAGEMENT_ADDON):
        until(f"{kind.plural} are served", partial(hub.kubernetes.all, kind), _SECONDS)

    for socket, program in enumerate(_WEBHOOKS, _FIRST_SOCKET):
        _webhook(hub, network, socket, program)
    processes = [_controller(hub, program, port) for port, program in enumerate(_CONTROLLERS, 9601)]
    for configuration in manifests.rendered(sorted(folder.glob("*/webhook-*configuration.yaml")), names):
        hub.kubernetes.apply(configuration)
    until("OCM has made its cluster sets", partial(hub.kubernetes.get, ocm.CLUSTER_SET, "global"), _SECONDS, processes)


def bootstrap(hub: Cluster) -> Path:
    """The kubeconfig by which a cluster asks to join, and can do nothing else."""
    return hub.service_account(_BOOTSTRAPPER, _BOOTSTRAP)


def _controller(hub: Cluster, program: str, port: int) -> Process:
    role, account = _CONTROLLERS[program]
    return hub.machine.start(
        f"ocm-{program}",
        binaries.program(program),
        role,
        f"--kubeconfig={hub.service_account(account, _NAMESPACE)}",
        f"--namespace={_NAMESPACE}",
        f"--listen=127.0.0.1:{port}",
        "--disable-leader-election",  # one that is started again would wait for minutes
    )


def _webhook(hub: Cluster, network: Network, socket: int, program: str) -> None:
    """A webhook server and the service that leads to it."""
    service = f"cluster-manager-{program}-webhook"
    machine = network.machine(service, socket, hub.machine.logs)
    pair = hub.authority.issue(service, hosts=(f"{service}.{_NAMESPACE}.svc",))
    folder = hub.folder / service
    folder.mkdir()
    (folder / "tls.crt").symlink_to(pair.certificate)
    (folder / "tls.key").symlink_to(pair.key)
    account = hub.service_account(_WEBHOOKS[program], _NAMESPACE)
    machine.start(
        service, binaries.program(program), "webhook-server", f"--certdir={folder}", f"--port={_PORT}", f"--kubeconfig={account}"
    )
    metadata = {"name": service, "namespace": _NAMESPACE}
    port = {"name": "webhook", "port": _PORT, "protocol": "TCP"}
    hub.kubernetes.apply({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": [port]}})
    hub.kubernetes.apply(
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": metadata | {"labels": {"kubernetes.io/service-name": service}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [machine.address]}],
            "ports": [port],
        }
    )


_RIGHTS = ("serviceaccount", "clusterrole", "clusterrolebinding")


def _namespace(name: str) -> Object:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


_RBAC = "rbac.authorization.k8s.io"
_ROLE = "open-cluster-management:bootstrap"
# As in the chart of OCM's cluster manager.
_BOOTSTRAPPING: tuple[Object, ...] = (
    _namespace(_NAMESPACE),
    _namespace(_BOOTSTRAP),
    {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": _BOOTSTRAPPER, "namespace": _BOOTSTRAP}},
    {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "ClusterRole",
        "metadata": {"name": _ROLE},
        "rules": [
            {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]},
            {
                "apiGroups": ["certificates.k8s.io"],
                "resources": ["certificatesigningrequests"],
                "verbs": ["create", "get", "list", "watch"],
            },
            {
                "apiGroups": ["cluster.open-cluster-management.io"],
                "resources": ["managedclusters"],
                "verbs": ["get", "create", "list", "watch"],
            },
            {"apiGroups": ["cluster.open-cluster-management.io"], "resources": ["managedclustersets/join"], "verbs": ["create"]},
        ],
    },
    {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": _ROLE},
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": _ROLE},
        "subjects": [{"kind": "ServiceAccount", "name": _BOOTSTRAPPER, "namespace": _BOOTSTRAP}],
    },
)
