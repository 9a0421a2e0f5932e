"""The benchmark of a round still runs: fedspoke and the floor under it, at a size that measures nothing."""

import pytest

from benchmarks import phases
from benchmarks.round import SYSTEMS, measure, table


@pytest.mark.parametrize("name", ["floor", "fedspoke"])
def test_a_small_round_is_measured(name: str) -> None:
    row = measure(name, clusters=2, rounds=2, mib=4)
    assert row["cpuSeconds"] > 0
    assert min(row["serverMegabytes"], row["clientMegabytes"]) > 10
    if name == "fedspoke":
        assert sum(row["phases"].values()) == pytest.approx(row["seconds"])
        assert row["phases"].keys() == phases.WORDS.keys()
    text = table({"mib": 4, "machine": "this one", "clusters": {2: {name: row}}})
    assert SYSTEMS[name].words in text
