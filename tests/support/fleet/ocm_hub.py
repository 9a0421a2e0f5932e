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
_RIGHTS = ("serviceaccount", "clusterrole", "clusterrolebinding")
"""How the manifests end that say who may do what; those of tokens are for add-ons to copy."""
_PORT = 9443
_FIRST_SOCKET = 101
"""Of the webhooks."""


def start(hub: Cluster, network: Network) -> None:
    """Make a cluster a hub; to be called in the main thread, which makes machines.

    Raises:
        Failed: a program ends or is not ready in time.
    """
    folder = manifests.folder() / "cluster-manager/hub"
    authority = base64.b64encode(hub.authority.certificate.read_bytes()).decode()
    names = {
        "ClusterManagerName": "cluster-manager",
        "ClusterManagerNamespace": _NAMESPACE,
        "AddonAPIServiceCABundle": authority,
        "RegistrationAPIServiceCABundle": authority,
        "RegistrationWebhook.Port": str(_PORT),
    }
    kinds = sorted(folder.glob("crds/*.yaml"))
    rights = sorted(file for file in folder.glob("*/*") if file.stem.endswith(_RIGHTS) and not file.stem.startswith("token-"))
    for document in (*_bootstrapping(), *manifests.rendered([*kinds, *rights], names)):
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


def _bootstrapping() -> list[Object]:
    """The account by which clusters ask to join, as in the chart of OCM's cluster manager."""
    group, cluster = "rbac.authorization.k8s.io", "cluster.open-cluster-management.io"
    name = "open-cluster-management:bootstrap"
    rules = [
        _rule("", "configmaps", "get"),
        _rule("certificates.k8s.io", "certificatesigningrequests", "create", "get", "list", "watch"),
        _rule(cluster, "managedclusters", "create", "get", "list", "watch"),
        _rule(cluster, "managedclustersets/join", "create"),
    ]
    account = {"name": _BOOTSTRAPPER, "namespace": _BOOTSTRAP}
    reference = {"apiGroup": group, "kind": "ClusterRole", "name": name}
    return [
        *({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": each}} for each in (_NAMESPACE, _BOOTSTRAP)),
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account},
        {"apiVersion": f"{group}/v1", "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules},
        {
            "apiVersion": f"{group}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": name},
            "roleRef": reference,
            "subjects": [{"kind": "ServiceAccount"} | account],
        },
    ]


def _rule(group: str, resource: str, *verbs: str) -> Object:
    return {"apiGroups": [group], "resources": [resource], "verbs": list(verbs)}
