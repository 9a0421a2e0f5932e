"""The network of a fleet: a switch with a cable to each machine and one to this machine; a cable can be pulled.

The switch is a machine of its own, so that this machine's firewall has no say in it, and nothing of it is left when it ends.
Addresses are 10.99.<number of the fleet>.x; this machine has .254.
"""

from pathlib import Path

from support.fleet.machine import Machine
from support.fleet.processes import call

_THIS_MACHINE = 254


class Network:
    """One switch, and the machines at it."""

    def __init__(self, number: int, folder: Path) -> None:
        """The network of the fleet with this number; to be made in the main thread, as all its machines."""
        self._number = number
        self._switch = Machine("switch", folder)
        self._machines: list[Machine] = []
        self._switch.call("ip", "link", "add", "switch", "type", "bridge")
        self._switch.call("ip", "link", "set", "switch", "up")
        cable = f"fleet{number}"
        self._plug(_THIS_MACHINE, ["name", cable])
        call("ip", "address", "add", f"{self._address(_THIS_MACHINE)}/24", "dev", cable)
        call("ip", "link", "set", cable, "up")

    def machine(self, name: str, socket: int, folder: Path) -> Machine:
        """A new machine, with a cable to this socket and an address that ends in its number; its logs are in `folder`."""
        machine = Machine(name, folder, self._address(socket))
        self._machines.append(machine)
        self._plug(socket, ["name", "eth0", "netns", str(machine.pid)])
        machine.call("ip", "address", "add", f"{machine.address}/24", "dev", "eth0")
        machine.call("ip", "link", "set", "eth0", "up")
        machine.call("ip", "route", "add", "default", "via", self._address(_THIS_MACHINE))  # Kubernetes looks for one
        return machine

    def cut(self, machine: Machine) -> None:
        """Pull a machine's cable: it goes on, alone."""
        self._switch.call("ip", "link", "set", _name(machine), "down")

    def restore(self, machine: Machine) -> None:
        """Plug it in again."""
        self._switch.call("ip", "link", "set", _name(machine), "up")

    def close(self) -> None:
        """End all machines, and take the switch away."""
        for machine in (*self._machines, self._switch):
            machine.end()

    def _address(self, socket: int) -> str:
        return f"10.99.{self._number}.{socket}"

    def _plug(self, socket: int, other_end: list[str]) -> None:
        name = f"socket{socket}"
        call("ip", "link", "add", name, "netns", str(self._switch.pid), "type", "veth", "peer", *other_end)
        self._switch.call("ip", "link", "set", name, "master", "switch", "up")


def _name(machine: Machine) -> str:
    return f"socket{machine.address.rpartition('.')[2]}"
