"""A machine within this machine: processes with a network, mounts and process numbers of their own, that all end as one.

Its first process holds the kernel's namespaces. When that ends, in whatever way, the kernel ends all others, and their mounts and
network interfaces go with them; and it ends with the tests, even if those are killed.
"""

import os
import signal
from pathlib import Path

from support.fleet.processes import Process, call, dies_with_us, started
from support.fleet.wait import until

# Whoever loses its parent becomes a child of the first process; ignoring the signal of their end lets the kernel forget them.
_FIRST = ["env", "--ignore-signal=CHLD", "sleep", "infinity"]
_NAMESPACES = ["--mount", "--net", "--pid"]
_SECONDS = 30


class Machine:
    """Where the processes of one cluster run. To be made in the main thread: it ends with the thread that made it."""

    def __init__(self, name: str, folder: Path, address: str = "127.0.0.1") -> None:
        """A machine that keeps the words of its processes in `folder`; `address` is the one that its network gives it."""
        self.name = name
        self.address = address
        self.logs = folder
        folder.mkdir(parents=True, exist_ok=True)
        isolated = ["unshare", *_NAMESPACES, "--fork", "--kill-child", "--mount-proc", "--propagation=private"]
        self._holder = started([*dies_with_us(), *isolated, *_FIRST], folder / f"{name}.machine.log")
        self.pid = _child(self._holder)
        ready = Path(f"/proc/{self.pid}/comm")
        until(f"{name} has its namespaces", lambda: ready.read_text().strip() == "sleep", _SECONDS, [self._holder])
        self._commands: dict[str, list[str | Path]] = {}
        self.processes: dict[str, Process] = {}
        self.call("mount", "--make-rshared", "/")  # what a pod mounts is seen by all of this machine, and by nothing outside
        self.call("ip", "link", "set", "lo", "up")

    def call(self, *command: str | Path) -> str:
        """What a command says that runs here to its end.

        Raises:
            Failed: it ends in an error.
        """
        return call(*self._here(command))

    def start(self, name: str, *command: str | Path) -> Process:
        """A program that runs here until it is killed or the machine ends."""
        self._commands[name] = list(command)
        self.processes[name] = started(self._here(command), self.logs / f"{name}.log")
        return self.processes[name]

    def kill(self, name: str) -> None:
        """End a program at once, as by a power cut; what it started lives on."""
        process = self.processes[name]
        if not process.ended:
            os.kill(_child(process), signal.SIGKILL)
            process.handle.wait()

    def restart(self, name: str) -> Process:
        """Start a program again as it was started before."""
        self.kill(name)
        return self.start(name, *self._commands[name])

    def end(self) -> None:
        """End everything that runs here; when this returns, all of it is gone."""
        if not self._holder.ended:
            os.kill(self.pid, signal.SIGKILL)
        self._holder.handle.wait()  # which waits for the first process, and that for all others
        for process in self.processes.values():
            process.handle.wait()

    def _here(self, command: tuple[str | Path, ...]) -> list[str | Path]:
        return ["nsenter", f"--target={self.pid}", *_NAMESPACES, "--", *command]


def _child(process: Process) -> int:
    """The one child of a process: what `unshare` or `nsenter` forks."""
    pid = process.handle.pid
    children = Path(f"/proc/{pid}/task/{pid}/children")
    return int(until(f"{process.name} runs", lambda: children.read_text().strip() or None, _SECONDS, [process]))
