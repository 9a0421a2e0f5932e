"""What a tree of processes has cost so far, read from /proc while it runs."""

import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

_CLUSTER = ("/clusters/", "supernode")  # in the command line of what a spoke runs


@dataclass(frozen=True)
class Sample:
    """Seconds of the clock, and CPU seconds of all processes of the tree, those that have ended included."""

    wall: float
    cpu: float


@dataclass
class Meter:
    """Watches the tree below a process; the process itself stands for the machine and is counted in CPU only."""

    root: psutil.Process
    peak: dict[str, float] = field(default_factory=lambda: {"hub": 0.0, "clusters": 0.0})
    """MB: the largest sum, over the processes of a side, of proportional set sizes, so that shared pages count once."""

    def sample(self) -> Sample:
        """What it has cost by now. Who has ended is in the account of who waited for it."""
        cpu = 0.0
        for process in [self.root, *self.root.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                cpu += sum(process.cpu_times()[:4])  # user, system, and both of the children that were waited for
        return Sample(time.monotonic(), cpu)

    def look(self) -> None:
        """Note how much memory is in use, if it is more than ever before."""
        now = dict.fromkeys(self.peak, 0.0)
        for child in self.root.children():
            with suppress(psutil.NoSuchProcess):
                side = "clusters" if any(mark in " ".join(child.cmdline()) for mark in _CLUSTER) else "hub"
                now[side] += sum(_megabytes(process.pid) for process in [child, *child.children(recursive=True)])
        self.peak = {side: max(before, now[side]) for side, before in self.peak.items()}


def _megabytes(pid: int) -> float:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1000
    return 0.0
