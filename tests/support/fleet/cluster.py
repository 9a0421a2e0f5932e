"""A Kubernetes of one node, whole: etcd, API server, controllers, scheduler, and a node whose containers really run.

Its processes are those of a machine of its own, which is plugged into the fleet's network. Each can be killed and started again.
"""

from functools import partial
from pathlib import Path

from fedspoke.api.base import Object
from support.fleet import binaries, cgroups, control_plane, kubeconfig, node
from support.fleet.certificates import Authority, service_account_key
from support.fleet.kubernetes import NODE, SERVICE_ACCOUNT, Kubernetes
from support.fleet.machine import Machine
from support.fleet.processes import Process
from support.fleet.wait import until

_SECONDS = 180
PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy")


class Cluster:
    """A cluster on a machine."""

    def __init__(self, machine: Machine, folder: Path) -> None:
        """A cluster of which nothing runs yet; all its files will be in `folder`."""
        self.name, self.address = machine.name, machine.address
        self.machine = machine
        self.folder = folder
        self.cgroup = f"{folder.parent.name}-{self.name}"
        node.furnish(machine, folder)
        pki = folder / "pki"
        pki.mkdir()
        self.authority = Authority(pki)
        self.place = control_plane.Place(self.address)
        self.kubeconfig = self.user("admin", "system:masters")
        self.kubernetes = Kubernetes(self.kubeconfig)

    def user(self, name: str, *groups: str) -> Path:
        """A kubeconfig for a user with a certificate of its own."""
        file = self.folder / f"{name.rpartition(':')[2]}.kubeconfig"
        return kubeconfig.write(file, self.place.url, self.authority.certificate, self.authority.issue(name, *groups))

    def service_account(self, name: str, namespace: str) -> Path:
        """A kubeconfig for a service account, for a process outside of any pod."""
        file = self.folder / f"{name}.kubeconfig"
        return kubeconfig.write(file, self.place.url, self.authority.certificate, self.kubernetes.token(name, namespace))

    def up(self, images: list[Path], mounts: tuple[Path, ...] = ()) -> None:
        """Start everything and wait until the node is ready.

        Raises:
            Failed: a program ends or is not ready in time.
        """
        self._start_control_plane()
        self._start_node(images, mounts)

    def import_image(self, archive: Path) -> None:
        """Let the node have the image of an archive."""
        self.machine.call("ctr", "--namespace=k8s.io", "images", "import", archive)

    def volume(self, name: str, size: str = "1Gi", reserved: tuple[str, str] | None = None) -> Path:
        """A volume that a claim of this size, with no storage class, may get; what comes back is its folder, to put files in.

        One that is reserved goes to the claim of this namespace and name alone.
        """
        folder = self.folder / "volumes" / name
        folder.mkdir(parents=True)
        folder.chmod(0o777)  # pods write to it as whoever they are
        spec: Object = {"capacity": {"storage": size}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": str(folder)}}
        if reserved:
            spec["claimRef"] = dict(zip(("namespace", "name"), reserved, strict=True))
        metadata = {"name": name}
        self.kubernetes.apply({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": metadata, "spec": spec})
        return folder

    def _node_ready(self) -> bool:
        """Whether the node says that it is."""
        conditions = self.kubernetes.get(NODE, self.name).get("status", {}).get("conditions", [])
        return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)

    def _start_control_plane(self) -> None:
        tokens = service_account_key(self.folder / "pki")
        etcd = self._start("etcd", *control_plane.etcd(self.place, self.folder))
        apiserver = self._start(
            "kube-apiserver",
            *control_plane.kube_apiserver(self.place, self.authority, tokens, "NodeRestriction"),
            *control_plane.with_nodes(self.authority),
        )
        until(f"the API server of {self.name} is ready", self.kubernetes.ready, _SECONDS, [etcd, apiserver])
        controllers = self.user("system:kube-controller-manager")
        self._start("kube-controller-manager", *control_plane.kube_controller_manager(controllers, self.authority, tokens))
        self._start("kube-scheduler", *control_plane.kube_scheduler(self.user("system:kube-scheduler")))

    def _start_node(self, images: list[Path], mounts: tuple[Path, ...]) -> None:
        runtime = self.machine.start("containerd", *node.containerd(self.machine, self.folder, mounts))
        until(f"containerd of {self.name} answers", partial(self.machine.call, "ctr", "version"), _SECONDS, [runtime])
        for image in images:
            self.import_image(image)
        cgroups.make(self.cgroup)
        user = self.user(f"system:node:{self.name}", "system:nodes")
        kubelet = self._start(
            "kubelet", f"--kubeconfig={user}", *node.kubelet(self.name, self.address, self.folder, self.authority, self.cgroup)
        )
        self._start("kube-proxy", *node.kube_proxy(self.name, self.user("system:kube-proxy")))
        until(f"node {self.name} is ready", self._node_ready, _SECONDS, [runtime, kubelet])
        # A pod is refused while its service account is not there.
        until(f"{self.name} has service accounts", partial(self.kubernetes.get, SERVICE_ACCOUNT, "default", "default"), _SECONDS)

    def _start(self, program: str, *arguments: str | Path) -> Process:
        return self.machine.start(program, binaries.program(program), *arguments)
