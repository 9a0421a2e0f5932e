"""A hub and its spokes on one machine, brought up side by side, and gone at the end."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from support.fleet import binaries, claim, images, requirements
from support.fleet.cluster import PROGRAMS, Cluster
from support.fleet.network import Network

HUB = "hub"


@dataclass(frozen=True, slots=True)
class Fleet:
    """A hub, the spokes that joined it, and the network between them."""

    hub: Cluster
    spokes: tuple[Cluster, ...]
    network: Network


@contextmanager
def fleet(spokes: int = 2, say: binaries.Say = print) -> Iterator[Fleet]:
    """A fleet of so many spokes for the length of the block.

    Raises:
        Failed: something is missing on this machine, or does not come up.
    """
    requirements.provide(say)
    for program in PROGRAMS:
        binaries.program(program, say)
    with claim.number() as (number, folder), ExitStack() as ends:
        network = Network(number, folder / "network")
        ends.callback(network.end)
        names = [HUB, *(f"spoke{each}" for each in range(1, spokes + 1))]
        clusters = []
        for index, name in enumerate(names, 1):
            clusters.append(Cluster(name, network, index, folder / name))
            ends.callback(clusters[-1].end)
        own = images.own(folder / "images")
        with ThreadPoolExecutor() as together:
            list(together.map(lambda cluster: cluster.up(own, images.python()), clusters))
        yield Fleet(clusters[0], tuple(clusters[1:]), network)
