"""The study of whether federation helps still runs, at a size that tells nothing."""

import math
import re
from functools import partial
from itertools import pairwise, starmap
from pathlib import Path

import pytest

from benchmarks.study.arms import Arm
from benchmarks.study.compare import best, compare, table, tune
from benchmarks.study.measure import Losses, measure
from support.tiny import tiny_llava

ARMS = (Arm("alone"), Arm("federated", "svd", 1), Arm("federated", "ffa", 1), Arm("pooled, as many steps"), Arm("pooled"))


def test_a_small_study_is_compared_and_told() -> None:
    few = partial(measure, str(tiny_llava()), 4, 1)
    once = dict[Arm, Losses]()

    def ask(arm: Arm, seed: int, rate: float) -> Losses:
        """Each arm is really trained, once; the rest only moves with the rate."""
        known = once[arm] if arm in once else once.setdefault(arm, few(arm, seed, rate))
        return known | {"facebook": known["facebook"] + abs(math.log2(rate / 0.02))}

    rows = compare(ARMS, 2, ask, starmap)
    steps = {row.arm: row.losses[0]["steps"] for row in rows}
    assert steps[Arm("pooled")] > steps[Arm("pooled, as many steps")] == steps[Arm("alone")] == steps[Arm("federated", "svd", 1)]
    lines = table(rows).splitlines()
    assert len(lines) == len(ARMS) + 3
    assert "| federated, svd, 1 local epoch | 0.02 (0.01 to 0.04) | 1 |" in table(rows)


@pytest.mark.parametrize("least", [0.0025, 0.01, 0.02, 0.16])
def test_learning_rates_are_tried_until_the_best_lies_between_two_others(least: float) -> None:
    def ask(arm: Arm, seed: int, rate: float) -> Losses:
        return dict.fromkeys(("facebook", "instagram"), abs(math.log2(rate / least)))

    tried = tune(ask, Arm("pooled"))
    assert best(tried) == least
    assert min(tried) < least < max(tried)
    assert all(high == 2 * low for low, high in pairwise(sorted(tried)))


def test_the_readme_quotes_rows_of_the_committed_table() -> None:
    top = Path(__file__).parents[2]
    table = [figures(line) for line in (top / "tests/benchmarks/study/RESULTS.md").read_text().splitlines()]
    quoted = list(filter(None, map(figures, (top / "README.md").read_text().splitlines())))
    assert len(quoted) > 5
    assert all(any(figure <= row for row in table) for figure in quoted)


def figures(line: str) -> set[str]:
    """A row's means, each with its spread, and its steps."""
    means = set(re.findall(r"\d+\.\d\d ± \d+\.\d\d", line))
    return means | set(re.findall(r"\| (\d+) \|", line)) if means else set()
