"""What a machine needs to be a Kubernetes node: containerd with its network, a kubelet and a kube-proxy, and their files.

All of it lives in the machine's own mounts: /run, /var/lib and /var/log are its own folders there, so that each program finds its
files where it always does, and nobody else's are touched.
"""

import json
import resource
from pathlib import Path

from support.fleet.certificates import Authority
from support.fleet.machine import Machine

PODS = "10.244.0.0/24"
PAUSE = "localhost/pause:1"
"""What holds a pod's namespaces; `images` makes it."""
RUNTIME = "/run/containerd/containerd.sock"

# The kubelet writes these for the whole machine if they are not so; it is shown what it wants instead.
_SYSCTLS = {"vm/overcommit_memory": 1, "vm/panic_on_oom": 0, "kernel/panic": 10, "kernel/panic_on_oops": 1}


def furnish(machine: Machine, folder: Path) -> None:
    """Give a machine the folders that a node writes to, all of them in `folder` but /run, which is in memory."""
    machine.call("mount", "-t", "tmpfs", "tmpfs", "/run")
    for path in ("lib", "log"):
        (folder / path).mkdir(exist_ok=True)
        machine.call("mount", "--bind", folder / path, f"/var/{path}")
    for name, value in _SYSCTLS.items():
        file = folder / name.replace("/", ".")
        file.write_text(f"{value}\n")
        machine.call("mount", "--bind", file, f"/proc/sys/{name}")


def containerd(machine: Machine, folder: Path, mounts: tuple[Path, ...]) -> list[str | Path]:
    """The container runtime; each container sees `mounts` of this machine, at their own paths, and cannot write to them."""
    specification = json.loads(machine.call("ctr", "oci", "spec"))
    del specification["process"]["rlimits"]  # a thousand files are too few; without it, there are as many as the runtime has
    specification["mounts"] += [
        {"destination": str(path), "source": str(path), "type": "bind", "options": ["rbind", "ro"]} for path in mounts
    ]
    every_container = folder / "every-container.json"
    every_container.write_text(json.dumps(specification))
    networks = folder / "networks"
    networks.mkdir()
    (networks / "pods.conflist").write_text(json.dumps(_POD_NETWORK))
    config = folder / "containerd.toml"
    config.write_text(_CONTAINERD.format(networks=networks, every_container=every_container, pause=PAUSE))
    return ["containerd", "--config", config]


def kubelet(name: str, address: str, folder: Path, authority: Authority, cgroup: str) -> list[str | Path]:
    """What runs the pods of a node, all in a control group of its own."""
    server = authority.issue(name, addresses=(address,), hosts=(name,))
    config = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": address,
        "tlsCertFile": str(server.certificate),
        "tlsPrivateKeyFile": str(server.key),
        "authentication": {"anonymous": {"enabled": False}, "x509": {"clientCAFile": str(authority.certificate)}},
        "containerRuntimeEndpoint": f"unix://{RUNTIME}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{cgroup}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "oomScoreAdj": 0,  # lower ones need a right that a sandbox may not have
        "maxOpenFiles": resource.getrlimit(resource.RLIMIT_NOFILE)[1],
        "clusterDomain": "cluster.local",
        "clusterDNS": [address],
        "resolvConf": "",
        "volumePluginDir": "/var/lib/kubelet/volume-plugins",
        # This machine's disk is not the cluster's: it may be nearly full, and nothing must be thrown away for that.
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {"memory.available": "50Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
    }
    file = folder / "kubelet.json"
    file.write_text(json.dumps(config))
    return [
        f"--config={file}",
        f"--hostname-override={name}",
        f"--node-ip={address}",
    ]


def kube_proxy(name: str, kubeconfig: Path) -> list[str | Path]:
    """What makes a service's address and port lead to its pods; it leaves this machine's limits on connections as they are."""
    return [
        f"--kubeconfig={kubeconfig}",
        f"--hostname-override={name}",
        "--proxy-mode=nftables",
        f"--cluster-cidr={PODS}",
        "--conntrack-max-per-core=0",
        "--conntrack-tcp-timeout-established=0",
        "--conntrack-tcp-timeout-close-wait=0",
    ]


_POD_NETWORK = {
    "cniVersion": "0.4.0",
    "name": "pods",
    "plugins": [
        {
            "type": "bridge",
            "bridge": "pods",
            "isGateway": True,
            "ipMasq": True,
            "hairpinMode": True,
            "ipam": {"type": "host-local", "ranges": [[{"subnet": PODS}]], "routes": [{"dst": "0.0.0.0/0"}]},
        }
    ],
}

_CONTAINERD = """
version = 2
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing"]
[plugins."io.containerd.internal.v1.opt"]
  path = "/var/lib/containerd/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  restrict_oom_score_adj = true
  disable_apparmor = true
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "/usr/lib/cni"
  conf_dir = "{networks}"
[plugins."io.containerd.grpc.v1.cri".containerd]
  default_runtime_name = "runc"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
  base_runtime_spec = "{every_container}"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  SystemdCgroup = false
"""
