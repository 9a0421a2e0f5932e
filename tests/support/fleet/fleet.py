"""A hub and its spokes: brought up side by side on this machine and gone at the end, or those that the environment names."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fedspoke.api.errors import Failed
from support.fleet import binaries, claim, evidence, images, klusterlet, ocm_hub
from support.fleet.cluster import Cluster
from support.fleet.kubernetes import Kubernetes
from support.fleet.network import Network
from support.fleet.provided import provide


class Member(Protocol):
    """What can be asked of any cluster of any fleet; `address` is where its NodePorts are."""

    @property
    def name(self) -> str: ...
    @property
    def address(self) -> str: ...
    @property
    def kubeconfig(self) -> Path: ...
    @property
    def kubernetes(self) -> Kubernetes: ...


@dataclass(frozen=True, slots=True)
class Fleet:
    """A hub and the spokes that joined it."""

    hub: Member
    spokes: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class OwnFleet(Fleet):
    """One on this machine, that can be done harm to: its cables cut, its programs killed."""

    hub: Cluster
    spokes: tuple[Cluster, ...]
    network: Network


@contextmanager
def own(spokes: int, say: binaries.Say, kept: Path, shown: tuple[Path, ...] | None = None) -> Iterator[OwnFleet]:
    """A fleet of so many spokes for the length of the block; if it does not come up, its logs are copied to `kept`.

    Its containers see `shown` of this machine; if not said, what the tests' own image needs.

    Raises:
        Failed: something is missing on this machine, or does not come up.
    """
    provide(say)
    with claim.number() as (number, folder), closing(Network(number, folder / "network")) as network:
        try:
            fleet = _up(spokes, network, folder, images.python() if shown is None else shown)
        except Failed as failed:
            evidence.logs(folder.iterdir(), kept)
            raise Failed(f"{failed}; all logs are in {kept}") from failed
        yield fleet


def _up(spokes: int, network: Network, folder: Path, shown: tuple[Path, ...]) -> OwnFleet:
    names = ["hub", *(f"spoke{each}" for each in range(1, spokes + 1))]
    machines = [network.machine(name, socket, folder / name / "log") for socket, name in enumerate(names, 1)]
    hub, *others = [Cluster(machine, folder / machine.name) for machine in machines]
    archives = images.own(folder / "images")
    with ThreadPoolExecutor() as side_by_side:
        list(side_by_side.map(lambda cluster: cluster.up(archives, shown), (hub, *others)))
    ocm_hub.start(hub, network)
    with ThreadPoolExecutor() as side_by_side:
        list(side_by_side.map(lambda spoke: klusterlet.join(spoke, hub), others))
    return OwnFleet(hub, tuple(others), network)
