"""The network between clusters: a switch that each of them is plugged into, and this machine too; one cable can be pulled.

The switch is a machine of its own, so that neither this machine's firewall nor its bridges have a say, and nothing of it is left
when it ends. Addresses are 10.99.<number of the fleet>.x; this machine has .254.
"""

from pathlib import Path

from support.fleet.machine import Machine
from support.fleet.processes import call


class Network:
    """One switch with its cables."""

    def __init__(self, number: int, folder: Path) -> None:
        """The network of the fleet with this number."""
        self._number = number
        self._sockets: dict[str, str] = {}
        self._switch = Machine("switch", folder)
        cable = f"fleet{number}"
        self._switch.call("ip", "link", "add", "switch", "type", "bridge")
        self._switch.call("ip", "link", "set", "switch", "up")
        self._plug("this-machine", ["name", cable])
        call("ip", "address", "add", f"{self.address(254)}/24", "dev", cable)
        call("ip", "link", "set", cable, "up")

    def address(self, index: int) -> str:
        """The address of a place in this network."""
        return f"10.99.{self._number}.{index}"

    def plug(self, machine: Machine, index: int) -> str:
        """Give a machine its cable, and the address that comes back."""
        self._sockets[machine.name] = f"socket{index}"
        self._plug(self._sockets[machine.name], ["name", "eth0", "netns", str(machine.pid)])
        machine.call("ip", "address", "add", f"{self.address(index)}/24", "dev", "eth0")
        machine.call("ip", "link", "set", "eth0", "up")
        machine.call("ip", "route", "add", "default", "via", self.address(254))  # Kubernetes looks for one; it leads nowhere
        return self.address(index)

    def cut(self, machine: Machine) -> None:
        """Pull a machine's cable: it goes on, alone."""
        self._switch.call("ip", "link", "set", self._sockets[machine.name], "down")

    def restore(self, machine: Machine) -> None:
        """Plug it in again."""
        self._switch.call("ip", "link", "set", self._sockets[machine.name], "up")

    def end(self) -> None:
        """Take the switch away, and with it every cable."""
        self._switch.end()

    def _plug(self, socket: str, other_end: list[str]) -> None:
        call("ip", "link", "add", socket, "netns", str(self._switch.pid), "type", "veth", "peer", *other_end)
        self._switch.call("ip", "link", "set", socket, "master", "switch", "up")
