"""All arms beside each other: the learning rate of each, what it loses with each seed, and the table of it."""

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.study.arms import Arm
from benchmarks.study.measure import Losses
from fedspoke.api.names import PLATFORMS

Ask = Callable[[Arm, int, float], Losses]
"""Arm, seed, learning rate → what it loses."""

_FIRST = 0.02
_TUNING = 1000  # a seed of which no result is reported


@dataclass(frozen=True, slots=True)
class Row:
    """What the table says of one arm."""

    arm: Arm
    tried: Mapping[float, float]
    """Learning rate → loss on both platforms, with the seed that is for tuning."""
    losses: Sequence[Losses]
    """With each seed, at the best learning rate."""


def compare(arms: Sequence[Arm], seeds: int, ask: Ask, starmap: Callable[..., Iterable[Any]]) -> list[Row]:
    """A row of each arm; `starmap` is that of itertools, or of a pool of processes."""
    tried = list(starmap(tune, [(ask, arm) for arm in arms]))
    jobs = [(arm, seed, best(rates)) for arm, rates in zip(arms, tried, strict=True) for seed in range(seeds)]
    losses = list(starmap(ask, jobs))
    return [
        Row(arm, rates, losses[at * seeds : (at + 1) * seeds]) for at, (arm, rates) in enumerate(zip(arms, tried, strict=True))
    ]


def tune(ask: Ask, arm: Arm) -> dict[float, float]:
    """The loss with each learning rate that was tried: each half or twice another, until the best has one on either side."""
    tried, rate = dict[float, float](), _FIRST
    while rate not in tried:
        tried[rate] = both(ask(arm, _TUNING, rate))
        least = best(tried)
        rate = next((near for near in (least / 2, least * 2) if near not in tried), least)
    return tried


def best(tried: Mapping[float, float]) -> float:
    """The learning rate with the least loss."""
    return min(tried, key=tried.__getitem__)


def both(losses: Losses) -> float:
    """On all subjects of both platforms."""
    return statistics.fmean(losses[name] for name in PLATFORMS)


def table(rows: Sequence[Row]) -> str:
    """Mean ± standard deviation over the seeds, in Markdown."""
    lines = [
        "| way to train | learning rate (tried) | steps | all subjects: Facebook | Instagram | both | own subjects |",
        "|---|---|---|---|---|---|---|",
        f"| not at all | | 0 | | | {_spread(loss['base'] for loss in rows[0].losses)} | |",
    ]
    for row in rows:
        rate = f"{best(row.tried):g} ({min(row.tried):g} to {max(row.tried):g})"
        columns = [[loss[name] for loss in row.losses] for name in (*PLATFORMS, "own")]
        columns.insert(2, [both(loss) for loss in row.losses])
        lines.append(f"| {row.arm.name} | {rate} | {row.losses[0]['steps']:g} | {' | '.join(map(_spread, columns))} |")
    return "\n".join(lines)


def _spread(values: Iterable[float]) -> str:
    known = list(values)
    return f"{statistics.fmean(known):.2f} ± {statistics.stdev(known):.2f}" if len(known) > 1 else f"{known[0]:.2f}"
