"""What this machine must be and have, so that clusters can run on it: Linux, the rights of root, and a few programs."""

import os
import shutil
import sys
from pathlib import Path

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
_WATCHERS, _ENOUGH = Path("/proc/sys/fs/inotify/max_user_instances"), 1024


def provide(say: Say = print, also: dict[str, str] | None = None) -> None:
    """Install what is missing; `also` is what is needed beside a fleet's own: a program of each package, and its name.

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
    _let_many_watch_files(say)
    missing = [package for program, package in (_PACKAGES | (also or {})).items() if not shutil.which(program, path=PATH)]
    if not missing:
        return
    if not shutil.which("apt-get"):
        raise Failed(f"a fleet needs these packages, by Debian's names: {' '.join(missing)}; install them and start again")
    say(f"installing {' '.join(missing)}")
    call("apt-get", "update", "--quiet")
    call("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *missing)


def _let_many_watch_files(say: Say) -> None:
    """Raise the number of watchers that this machine grants: a fleet has sixty, and without one a kubelet does not start."""
    granted = int(_WATCHERS.read_text())
    if granted < _ENOUGH:
        say(f"raising {_WATCHERS} from {granted} to {_ENOUGH}")
        _WATCHERS.write_text(str(_ENOUGH))
