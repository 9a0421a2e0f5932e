"""Clusters that are there already, named in the environment: the same tests run on them as on a fleet of our own.

    FEDSPOKE_HUB_KUBECONFIG=hub.yaml FEDSPOKE_SPOKE_KUBECONFIGS=spoke1=spoke1.yaml:spoke2=spoke2.yaml

Each spoke goes by the name that the hub knows it by. The hub's nodes must be within the spokes' reach.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from fedspoke.api.errors import Refused
from support.fleet.kubernetes import NODE, Kubernetes

_HUB, _SPOKES = "FEDSPOKE_HUB_KUBECONFIG", "FEDSPOKE_SPOKE_KUBECONFIGS"


@dataclass(frozen=True, slots=True)
class GivenCluster:
    """A cluster of somebody else's: it can be asked, and nothing else."""

    name: str
    kubeconfig: Path
    kubernetes: Kubernetes
    address: str


def clusters() -> tuple[GivenCluster, ...] | None:
    """The hub and its spokes, or None if the environment names none.

    Raises:
        Refused: it names a hub and no spokes.
    """
    if not (hub := os.environ.get(_HUB)):
        return None
    named = [each.partition("=") for each in os.environ.get(_SPOKES, "").split(":") if each]
    if not named or not all(file for _, _, file in named):
        raise Refused(f"{_HUB} is set, and {_SPOKES} is not as NAME=FILE:NAME=FILE; name the spokes that have joined this hub")
    return (_given("hub", Path(hub)), *(_given(name, Path(file)) for name, _, file in named))


def _given(name: str, kubeconfig: Path) -> GivenCluster:
    kubernetes = Kubernetes(kubeconfig)
    addresses = kubernetes.all(NODE)[0]["status"]["addresses"]
    return GivenCluster(name, kubeconfig, kubernetes, next(each["address"] for each in addresses if each["type"] == "InternalIP"))
