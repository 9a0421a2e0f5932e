"""`make bench`: what one federated round costs: fedspoke, the floor under it, stock Flower and NVFlare, one after the other.

Everything is measured on the whole process trees, from the end of the first round to the end of the last: start-up is not in
it. All four carry the same adapter and train alike, by an addition. fedspoke, the floor and NVFlare speak mutual TLS; Flower,
which has no client certificates, speaks none.

On one machine all of them share its processors, and no line is between them. With `--line` the hub has one (line.py).
"""

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from benchmarks import line, payload, phases, product, stock_flower, stock_nvflare
from benchmarks.meter import Meter, Sample
from fedspoke.api.errors import Failed
from fedspoke.flower.programs import FLOWER

_BOUND = 900.0  # seconds for one system
_COLUMNS = {"cpuSeconds": "CPU, s", "serverMegabytes": "server's memory, MB", "clientMegabytes": "a client's memory, MB"}
_BEHIND_A_LINE = ("floor", "fedspoke")
_SLOWER, _MORE = 1.5, 0.1
"""Our aims: fedspoke's wall clock at most so many floors; its server's memory equal but for this, however many clients."""


@dataclass(frozen=True)
class System:
    """One way to run a federation."""

    words: str
    module: str
    client: str
    """Finds in a command line which client's it is."""
    marks: str = payload.MARKS


SYSTEMS = {
    "floor": System("the floor: HTTP and numpy, the same TLS", "floor", r"(?:floor_client \d+ |/sidecar-cluster)(\d+)"),
    "fedspoke": System("fedspoke", "product", r"/clusters/([^/]+)/", product.MARKS),
    "flower": System(f"Flower {FLOWER} FedAvg, no TLS", "stock_flower", r"flower-supernode .*cluster=(\d+)"),
    "nvflare": System(f"NVFlare {stock_nvflare.NVFLARE} FedAvg", "stock_nvflare", r"/kits/bench/prod_00/site-(\d+)"),
}


@dataclass
class Seen:
    """What was seen of one system while it ran."""

    meter: Meter
    ends: list[Sample] = field(default_factory=list)
    """One for each round."""
    combining: dict[int, float] = field(default_factory=dict)
    """Round → when the hub began to combine it; of fedspoke alone."""


def main() -> None:
    arguments = argparse.ArgumentParser(description="What one round costs: fedspoke, the floor, stock Flower and NVFlare.")
    arguments.add_argument("--clusters", type=int, nargs="+", default=[4, 8])
    arguments.add_argument("--mib", type=int, default=160, help="of the adapter, in fp16")
    arguments.add_argument("--rounds", type=int, default=2, help="all but the first are measured")
    arguments.add_argument("--systems", nargs="+", choices=SYSTEMS, help="all; behind a line, those of the same gateway")
    arguments.add_argument(
        "--line", type=float, help="Gbit/s of the hub's line, each way; this takes the right to make a network"
    )
    arguments.add_argument("--out", type=Path, default=Path("out/bench"), help="folder for round.json and round.md")
    chosen = arguments.parse_args()
    if chosen.rounds < 2 or chosen.mib % payload.LAYER_MIB or chosen.mib < 1:
        arguments.error(f"--rounds is 2 or more, --mib a multiple of {payload.LAYER_MIB}")
    systems = chosen.systems or list(SYSTEMS if chosen.line is None else _BEHIND_A_LINE)
    if chosen.line is not None and not (chosen.line > 0 and set(systems) <= set(_BEHIND_A_LINE) and line.possible()):
        arguments.error(f"--line is some Gbit/s, of {' and '.join(_BEHIND_A_LINE)} alone, and for a user who may `unshare --net`")
    for name, peer in (("flower", stock_flower), ("nvflare", stock_nvflare)):
        if name in systems:
            peer.environ()  # installed now, not in a measured second
    report: dict[str, Any] = {
        "machine": f"{os.cpu_count()} cores, {psutil.virtual_memory().total >> 30} GiB, Python {platform.python_version()}",
        "mib": chosen.mib,
        "line": chosen.line,
        "rounds": chosen.rounds - 1,
        "clusters": {
            count: {name: measure(name, count, chosen.rounds, chosen.mib, chosen.line) for name in systems}
            for count in chosen.clusters
        },
    }
    chosen.out.mkdir(parents=True, exist_ok=True)
    name = "round" if chosen.line is None else f"round-{chosen.line:g}gbit"
    (chosen.out / f"{name}.json").write_text(json.dumps(report, indent=1))
    text = table(report)
    (chosen.out / f"{name}.md").write_text(text)
    print(f"\n{text}\nAll of it is in {chosen.out}.")


def measure(name: str, clusters: int, rounds: int, mib: int, gbit: float | None = None) -> dict[str, Any]:
    """Runs one system to its end; the means over its rounds after the first."""
    system, folder = SYSTEMS[name], Path(tempfile.mkdtemp(prefix=f"bench-{name}-"))
    print(f"{name}: {clusters} clients, {rounds} rounds …", file=sys.stderr, flush=True)
    try:
        seen = _watch(system, folder, [clusters, rounds, mib], gbit)
        first, last, measured = seen.ends[0], seen.ends[-1], rounds - 1
        result: dict[str, Any] = {
            "seconds": (last.wall - first.wall) / measured,
            "cpuSeconds": (last.cpu - first.cpu) / measured,
            "serverMegabytes": seen.meter.server,
            "clientMegabytes": max(seen.meter.clients.values()),
            "othersShare": max(0.0, last.busy - first.busy - last.cpu + first.cpu)
            / (last.wall - first.wall)
            / (os.cpu_count() or 1),
        }
        if name == "fedspoke":
            result["phases"] = _phases(folder, seen)
    except Failed as error:
        raise SystemExit(f"{error}; its logs are in {folder}") from None
    except KeyboardInterrupt:
        shutil.rmtree(folder)
        raise SystemExit("interrupted") from None
    shutil.rmtree(folder)
    return result


def _watch(system: System, folder: Path, numbers: Sequence[int], gbit: float | None) -> Seen:
    """Runs one system to its end, and samples it at the end of each round."""
    _, rounds, _ = numbers
    command = [sys.executable, "-m", f"benchmarks.{system.module}", str(folder), *map(str, numbers)]
    if gbit is not None:
        command = line.behind(gbit, [*command, str(line.PORT)])
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(Path(__file__).parents[1])}
    process = subprocess.Popen(command, start_new_session=True, env=environment)
    seen, began, looked = Seen(Meter(psutil.Process(process.pid), re.compile(system.client))), time.monotonic(), 0.0
    try:
        while process.poll() is None:
            file = folder / system.marks
            if len(seen.ends) < (file.read_text().count("\n") if file.exists() else 0):
                seen.ends.append(seen.meter.sample())
            number = len(seen.ends) + 1
            if number not in seen.combining and any(folder.glob(product.COMBINING.format(round=number))):
                seen.combining[number] = time.time()
            if time.monotonic() > looked + 0.25:
                seen.meter.look()
                looked = time.monotonic()
            if time.monotonic() > began + _BOUND:
                raise Failed(f"{system.module} did not end within {_BOUND:.0f} s")
            time.sleep(0.02)
    finally:
        process.terminate()
        process.wait(30)
    if process.returncode or len(seen.ends) < rounds:
        raise Failed(f"{system.module} ended with status {process.returncode} after {len(seen.ends)} of {rounds} rounds")
    return seen


def _phases(folder: Path, seen: Seen) -> dict[str, float]:
    lines = (folder / product.ACCESS_LOG).read_text().splitlines()
    of_rounds = [
        phases.split(lines, number, before.wall, seen.combining.get(number, after.wall), after.wall)
        for number, (before, after) in enumerate(zip(seen.ends, seen.ends[1:], strict=False), 2)
    ]
    return {name: sum(each[name] for each in of_rounds) / len(of_rounds) for name in phases.WORDS}


def table(report: Mapping[str, Any]) -> str:
    """The report as Markdown."""
    behind = f", whose hub has a line of {report['line']:g} Gbit/s each way" if report["line"] else ""
    lines = [f"One round of {report['mib']} MiB (fp16) down and up for each client{behind}. {report['machine']}.", ""]
    for count, systems in report["clusters"].items():
        columns = (f"{count} clients", "wall clock, s", "× floor", "× fedspoke", *_COLUMNS.values(), "others' CPU")
        lines += [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
        for name, row in systems.items():
            ratios = [
                f"{row['seconds'] / systems[base]['seconds']:.2f}" if base in systems else "–" for base in ("floor", "fedspoke")
            ]
            cells = [SYSTEMS[name].words, f"{row['seconds']:.1f}", *ratios, *(f"{row[column]:.0f}" for column in _COLUMNS)]
            lines.append(f"| {' | '.join(cells)} | {row['othersShare']:.0%} |")
        lines.append("")
    return "\n".join([*lines, *_parts(report["clusters"]), *_aims(report["clusters"]), ""])


def _parts(clusters: Mapping[Any, Mapping[str, Any]]) -> list[str]:
    """Where fedspoke's seconds go."""
    counts = [count for count, systems in clusters.items() if "fedspoke" in systems]
    if not counts:
        return []
    rows = [
        f"| {words} | {' | '.join(format(clusters[count]['fedspoke']['phases'][name], '.2f') for count in counts)} |"
        for name, words in phases.WORDS.items()
    ]
    head = f"| where fedspoke's seconds go | {' | '.join(f'{count} clients' for count in counts)} |"
    return [head, "|---" * (len(counts) + 1) + "|", *rows, ""]


def _aims(clusters: Mapping[Any, Mapping[str, Any]]) -> Sequence[str]:
    """What was aimed at, and whether it was reached."""
    both = {count: systems for count, systems in clusters.items() if {"floor", "fedspoke"} <= systems.keys()}
    said = []
    for count, systems in both.items():
        ratio = systems["fedspoke"]["seconds"] / systems["floor"]["seconds"]
        said.append(f"With {count} clients a round takes {ratio:.2f} × the floor's: {_verdict(ratio <= _SLOWER)} {_SLOWER} ×.")
    used = [systems["fedspoke"]["serverMegabytes"] for systems in clusters.values() if "fedspoke" in systems]
    if len(used) > 1:
        more = max(used) / min(used) - 1
        verdict = _verdict(more <= _MORE)
        said.append(f"Its server took {more:.0%} more memory at the most than at the least: {verdict} {_MORE:.0%}.")
    return said


def _verdict(met: bool) -> str:
    return "within the aim of" if met else "NOT within the aim of"


if __name__ == "__main__":
    main()
