"""What this machine must be and have, so that clusters can run on it: Linux, the rights of root, and a few programs."""

import os
import shutil
import sys

from fedspoke.api.errors import Failed
from support.fleet.binaries import Say
from support.fleet.processes import PATH, call

_PACKAGES = {  # a program of each, and Debian's name of the package
    "busybox": "busybox-static",
    "containerd": "containerd",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
    "ip": "iproute2",
    "iptables": "iptables",
    "nft": "nftables",
    "runc": "runc",
}


def provide(say: Say = print) -> None:
    """Install what is missing.

    Raises:
        Failed: it is no Linux, we are not root, or the packages cannot be had.
    """
    if sys.platform != "linux":
        raise Failed(
            f"a fleet needs Linux, and this is {sys.platform}; name clusters of yours in FEDSPOKE_HUB_KUBECONFIG instead"
        )
    if os.geteuid() != 0:
        raise Failed(
            "a fleet's networks and containers need root; use sudo, or name clusters of yours in FEDSPOKE_HUB_KUBECONFIG"
        )
    missing = [package for program, package in _PACKAGES.items() if not shutil.which(program, path=PATH)]
    if not missing:
        return
    if not shutil.which("apt-get"):
        raise Failed(f"a fleet needs these packages, by Debian's names: {' '.join(missing)}; install them and start again")
    say(f"installing {' '.join(missing)}")
    call("apt-get", "update", "--quiet")
    call("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *missing)
