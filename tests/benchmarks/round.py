"""`make bench`: what one round costs, fedspoke with mutual TLS beside stock Flower FedAvg without, one after the other.

Everything below is measured on the whole process trees (SuperLink, apps, gateways, clusters; waiting for nothing but each
other), from the end of the first round to the end of the last: start-up is not in it, and neither side trains a model.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import psutil

from benchmarks import combining, payload, product, stock_flower
from benchmarks.meter import Meter, Sample
from fedspoke.api.errors import Failed

_BOUND = 600.0  # seconds for one system
_SIDES = {
    "fedspoke": ("benchmarks.product", product.MARKS),
    "flower": ("benchmarks.stock_flower", stock_flower.MARKS),
}
_ROWS = {
    "seconds": "wall clock, s",
    "cpuSeconds": "CPU of all processes, s",
    "hubMegabytes": "peak memory of the hub, MB",
    "clustersMegabytes": "peak memory of all clusters, MB",
}


def main() -> None:
    arguments = argparse.ArgumentParser(description="One round at CLUSTERS × 80 MiB: fedspoke beside stock Flower.")
    arguments.add_argument("--clusters", type=int, default=4)
    arguments.add_argument("--rounds", type=int, default=3, help="all but the first are measured")
    arguments.add_argument("--out", type=Path, default=Path("out/bench.json"))
    chosen = arguments.parse_args()
    if chosen.rounds < 2:
        arguments.error(f"--rounds is {chosen.rounds}; the first is not measured, so there must be 2 at least")
    measured = {name: _measure(name, chosen.clusters, chosen.rounds) for name in _SIDES}
    ratios = {row: measured["flower"][row] / measured["fedspoke"][row] for row in _ROWS}
    peaks = {clusters: combining.peak(clusters) for clusters in (1, 4, 16)}
    report = {
        "machine": f"{os.cpu_count()} cores, {psutil.virtual_memory().total >> 30} GiB, Python {platform.python_version()}",
        "flwr": version("flwr"),
        "payload": f"{chosen.clusters} × {payload.MIB:g} MiB down and up",
        "rounds": chosen.rounds - 1,
        **measured,
        "ratios": ratios,
        "combiningMegabytes": peaks,
    }
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(json.dumps(report, indent=1))
    print(f"\nOne round, {report['payload']}; the mean of {chosen.rounds - 1} after the first. {report['machine']}.\n")
    print(f"{'':34}{'fedspoke':>12}{'stock Flower':>15}{'ratio':>9}")
    print(f"{'':34}{'mutual TLS':>12}{'no TLS':>15}")
    for row, words in _ROWS.items():
        print(f"{words:34}{measured['fedspoke'][row]:12.1f}{measured['flower'][row]:15.1f}{ratios[row]:8.1f}×")
    print(f"\nThe mean alone, MB at the most: {', '.join(f'{peak:.0f} for {n} clusters' for n, peak in peaks.items())}.")
    print(f"\nAll of it is in {chosen.out}.")


def _measure(name: str, clusters: int, rounds: int) -> dict[str, float]:
    module, marks = _SIDES[name]
    folder = Path(tempfile.mkdtemp(prefix=f"bench-{name}-"))
    print(f"{name}: {rounds} rounds …", file=sys.stderr, flush=True)
    try:
        ends, meter = _watch(module, folder, marks, clusters, rounds)
    except Failed as error:
        raise SystemExit(f"{error}; its logs are in {folder}") from None
    except KeyboardInterrupt:
        shutil.rmtree(folder)
        raise SystemExit("interrupted") from None
    shutil.rmtree(folder)
    return {
        "seconds": (ends[-1].wall - ends[0].wall) / (rounds - 1),
        "cpuSeconds": (ends[-1].cpu - ends[0].cpu) / (rounds - 1),
        "hubMegabytes": meter.peak["hub"],
        "clustersMegabytes": meter.peak["clusters"],
    }


def _watch(module: str, folder: Path, marks: str, clusters: int, rounds: int) -> tuple[list[Sample], Meter]:
    """Runs one system to its end, and samples it at the end of each round."""
    command = [sys.executable, "-m", module, str(folder), str(clusters), str(rounds)]
    process = subprocess.Popen(command, start_new_session=True, env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])})
    meter, ends, began, looked = Meter(psutil.Process(process.pid)), list[Sample](), time.monotonic(), 0.0
    try:
        while process.poll() is None:
            file = folder / marks
            if len(ends) < (file.read_text().count("\n") if file.exists() else 0):
                ends.append(meter.sample())
            if time.monotonic() > looked + 0.5:
                meter.look()
                looked = time.monotonic()
            if time.monotonic() > began + _BOUND:
                raise Failed(f"{module} did not end within {_BOUND:.0f} s")
            time.sleep(0.05)
    finally:
        process.terminate()
        process.wait(30)
    if process.returncode or len(ends) < rounds:
        raise Failed(f"{module} ended with status {process.returncode} after {len(ends)} of {rounds} rounds")
    return ends, meter


if __name__ == "__main__":
    main()
