"""A line to the hub that carries so much and no more: what goes to and from the gateway's port, in a network namespace alone.

All that passes between processes of one machine passes unhindered, as it would on a hub and on a spoke.
"""

import subprocess
from collections.abc import Sequence

PORT = 30443
"""The gateway's: no port that is free by chance."""

_SETTING = (
    """
set -e
ip link set lo up
tc qdisc add dev lo root handle 1: htb default 1
tc class add dev lo parent 1: classid 1:1 htb rate 1tbit quantum 200000
for way in 2,dport 3,sport; do
  tc class add dev lo parent 1: classid 1:${way%,*} htb rate "$1"gbit burst 256k cburst 256k quantum 200000
  tc filter add dev lo parent 1: protocol ip u32 match ip ${way#*,} """
    f"{PORT}"
    """ 0xffff flowid 1:${way%,*}
done
shift
exec "$@"
"""
)


def behind(gbit: float, command: Sequence[str]) -> list[str]:
    """The command, in a network where the hub's line has so many Gbit/s each way."""
    return ["unshare", "--net", "sh", "-c", _SETTING, "line", f"{gbit:g}", *command]


def possible() -> bool:
    """Whether this user may make such a network here."""
    return subprocess.run(behind(1, ["true"]), capture_output=True, check=False).returncode == 0
