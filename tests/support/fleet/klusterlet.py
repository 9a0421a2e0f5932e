"""A cluster joins a hub: OCM's two agents run on its machine, and the hub's administrator lets them in.

The agents are processes where OCM has pods, each with the rights that OCM gives it on the spoke. They run on the spoke's machine:
who cuts it off from the hub cuts off its pods and its agents together.
"""

from functools import partial

from fedspoke.api.base import Object
from support.fleet import binaries, manifests, ocm, ocm_hub
from support.fleet.cluster import Cluster
from support.fleet.kubernetes import REQUEST
from support.fleet.wait import until

_NAMESPACE = "open-cluster-management-agent"
_ADDONS = "open-cluster-management-agent-addon"
_REGISTRATION, _WORK = "klusterlet-registration-sa", "klusterlet-work-sa"
_SECONDS = 120
LEASE_SECONDS = 3
"""How often a cluster says that it is there; five times as long without a word, and the hub calls it unavailable."""


def join(spoke: Cluster, hub: Cluster) -> None:
    """Let a cluster join a hub, and wait until the hub calls it available.

    Raises:
        Failed: an agent ends, or something does not come about in time.
    """
    _prepare(spoke)
    folder = spoke.folder / "hub-kubeconfig"
    registration = spoke.machine.start(
        "registration-agent",
        binaries.program("registration"),
        "agent",
        *_agent(spoke, _REGISTRATION, 9611),
        f"--bootstrap-kubeconfig={ocm_hub.bootstrap(hub)}",
        f"--hub-kubeconfig-dir={folder}",
        "--cluster-healthcheck-period=10s",
    )
    request = until(f"{spoke.name} asks to join", partial(_request, hub, spoke.name), _SECONDS, [registration])
    hub.kubernetes.approve(request)
    accepted = {"spec": {"hubAcceptsClient": True, "leaseDurationSeconds": LEASE_SECONDS}}
    until(f"{spoke.name} is accepted", partial(hub.kubernetes.merge, ocm.CLUSTER, spoke.name, accepted), _SECONDS, [registration])
    config = folder / "kubeconfig"
    until(f"{spoke.name} has its certificate for the hub", config.exists, _SECONDS, [registration])
    work = spoke.machine.start(
        "work-agent",
        binaries.program("work"),
        "agent",
        *_agent(spoke, _WORK, 9612),
        f"--workload-source-config={config}",
        f"--hub-kubeconfig-dir={folder}",
        "--status-sync-interval=5s",
    )
    until(f"{spoke.name} is available", partial(ocm.is_available, hub.kubernetes, spoke.name), _SECONDS, [registration, work])


def _agent(spoke: Cluster, account: str, port: int) -> list[str]:
    return [
        f"--spoke-cluster-name={spoke.name}",
        f"--kubeconfig={spoke.service_account(account, _NAMESPACE)}",
        f"--namespace={_NAMESPACE}",
        f"--listen=127.0.0.1:{port}",
        "--disable-leader-election",
    ]


def _request(hub: Cluster, name: str) -> Object | None:
    """The cluster's request for a certificate, if it has made one."""
    return next(iter(hub.kubernetes.all(REQUEST, labels=f"open-cluster-management.io/cluster-name={name}")), None)


def _prepare(spoke: Cluster) -> None:
    """What OCM's operator puts on a cluster before it starts the agents."""
    folder = manifests.folder() / "klusterlet"
    names = {
        "KlusterletName": "klusterlet",
        "KlusterletNamespace": _NAMESPACE,
        "AgentNamespace": _NAMESPACE,
        "RegistrationServiceAccount": _REGISTRATION,
        "WorkServiceAccount": _WORK,
    }
    for namespace in (_NAMESPACE, _ADDONS):
        spoke.kubernetes.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    files = [*folder.glob("managed/*.yaml"), *folder.glob("management/*role*.yaml")]
    for document in (*manifests.rendered(sorted(files), names), _EXECUTION):
        spoke.kubernetes.apply(document)
    until(f"cluster claims are served by {spoke.name}", partial(spoke.kubernetes.all, ocm.CLAIM), _SECONDS)


# What else the work agent may do: whatever a role on the spoke with this label says.
_EXECUTION: Object = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRole",
    "metadata": {"name": "open-cluster-management:klusterlet-work:aggregate"},
    "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"open-cluster-management.io/aggregate-to-work": "true"}}]},
}
