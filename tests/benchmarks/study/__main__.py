"""Does federation help? `python -m benchmarks.study`: each way to train, on the same posts, with several seeds.

Four clusters, two of each platform, post about subjects of which each has less than half. The loss is measured on other posts:
of both platforms about all subjects, and of each cluster's own kind. Each way has the learning rate, of a few, that was the best
with a seed of its own. The model is the tiny LLaVA with random weights, so the numbers compare ways to train and say nothing of
the real model's captions.
"""

import argparse
import json
import multiprocessing
import os
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.study.arms import Arm
from benchmarks.study.measure import Losses, measure
from fedspoke.api.names import PLATFORMS
from support.tiny import tiny_llava

ARMS = (
    Arm("alone"),
    *(Arm("federated", lora, epochs) for lora in ("average", "svd", "ffa") for epochs in (1, 3, 10)),
    Arm("pooled"),
)
RATES = (5e-3, 1e-2)
_TUNING = 1000  # a seed of which no result is reported


def main() -> None:
    """Write the table to the standard output, and every single loss to --out."""
    arguments = argparse.ArgumentParser(description="Held-out loss of each way to train.")
    arguments.add_argument("--seeds", type=int, default=3)
    arguments.add_argument("--posts", type=int, default=16, help="of each cluster")
    arguments.add_argument("--passes", type=int, default=30, help="over all posts; a multiple of 10 and of 3")
    arguments.add_argument("--out", type=Path, default=Path("out/study.json"))
    chosen = arguments.parse_args()
    model = str(tiny_llava())
    with multiprocessing.get_context("spawn").Pool(os.cpu_count()) as pool:
        tuned = [(arm, _TUNING, rate) for arm in ARMS for rate in RATES]
        losses = pool.starmap(measure, [(model, *job, chosen.posts, chosen.passes) for job in tuned], chunksize=1)
        rates = _best(tuned, losses)
        jobs = [(arm, seed, rates[arm]) for seed in range(chosen.seeds) for arm in ARMS]
        measured = pool.starmap(measure, [(model, *job, chosen.posts, chosen.passes) for job in jobs], chunksize=1)
    results = {arm: [loss for (known, _, _), loss in zip(jobs, measured, strict=True) if known == arm] for arm in ARMS}
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(json.dumps({arm.name: {"rate": rates[arm], "losses": results[arm]} for arm in ARMS}, indent=1))
    print(table(results, rates))


def table(results: dict[Arm, list[Losses]], rates: dict[Arm, float]) -> str:
    """Mean ± standard deviation over the seeds, in Markdown."""
    lines = [
        "| way to train | learning rate | all subjects, Facebook | all subjects, Instagram | both | own subjects |",
        "|---|---|---|---|---|---|",
    ]
    base = [losses["base"] for losses in next(iter(results.values()))]
    lines.append(f"| not at all | | | | {_spread(base)} | |")
    for arm, losses in results.items():
        columns = [[loss[name] for loss in losses] for name in PLATFORMS]
        own = [loss["own"] for loss in losses]
        both = [statistics.fmean(pair) for pair in zip(*columns, strict=True)]
        lines.append(f"| {arm.name} | {rates[arm]:g} | {' | '.join(map(_spread, [*columns, both, own]))} |")
    return "\n".join(lines)


def _best(tuned: Sequence[tuple[Arm, int, float]], losses: Sequence[Losses]) -> dict[Arm, float]:
    found = dict[Arm, tuple[float, float]]()
    for (arm, _, rate), loss in zip(tuned, losses, strict=True):
        both = statistics.fmean(loss[name] for name in PLATFORMS)
        found[arm] = min(found.get(arm, (both, rate)), (both, rate))
    return {arm: rate for arm, (_, rate) in found.items()}


def _spread(values: Iterable[float]) -> str:
    known = list(values)
    return f"{statistics.fmean(known):.2f} ± {statistics.stdev(known):.2f}" if len(known) > 1 else f"{known[0]:.2f}"


if __name__ == "__main__":
    main()
