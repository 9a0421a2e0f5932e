"""What a tree of processes has cost so far, read from /proc while it runs."""

import re
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil


@dataclass(frozen=True)
class Sample:
    """Seconds since the epoch; CPU seconds of all processes of the tree, those that have ended included, and of the machine."""

    wall: float
    cpu: float
    busy: float


@dataclass
class Meter:
    """Watches the tree below a process; the process itself stands for the machine and is counted in CPU only."""

    root: psutil.Process
    client: re.Pattern[str] = re.compile(r"(?!)")
    """Finds in a command line that it is a client's, and which one's; all others are the server's."""
    server: float = 0.0
    """MB: the largest sum, over the processes of the server, of proportional set sizes, so that shared pages count once."""
    clients: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    """The same for each client."""

    def sample(self) -> Sample:
        """What it has cost by now. Who has ended is in the account of who waited for it."""
        cpu = 0.0
        for process in [self.root, *self.root.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                cpu += sum(process.cpu_times()[:4])  # user, system, and both of the children that were waited for
        machine = psutil.cpu_times()
        return Sample(time.time(), cpu, machine.user + machine.nice + machine.system)

    def look(self) -> None:
        """Note how much memory is in use, if it is more than ever before."""
        server, clients = 0.0, defaultdict[str, float](float)
        for child in self.root.children():
            with suppress(psutil.NoSuchProcess):
                found = self.client.search(" ".join(child.cmdline()))
                used = sum(_megabytes(process.pid) for process in [child, *child.children(recursive=True)])
                if found:
                    clients[found[1]] += used
                else:
                    server += used
        self.server = max(self.server, server)
        for name, used in clients.items():
            self.clients[name] = max(self.clients[name], used)


def _megabytes(pid: int) -> float:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1000
    return 0.0
