"""The benchmark of a round still runs: fedspoke and the floor under it, at a size that measures nothing."""

import pytest

from benchmarks import line, phases
from benchmarks.round import SYSTEMS, measure, table


@pytest.mark.parametrize("name", ["floor", "fedspoke"])
def test_a_small_round_is_measured(name: str) -> None:
    row = measure(name, clusters=2, rounds=2, mib=4)
    assert row["cpuSeconds"] > 0
    assert min(row["serverMegabytes"], row["clientMegabytes"]) > 10
    if name == "fedspoke":
        assert sum(row["phases"].values()) == pytest.approx(row["seconds"])
        assert row["phases"].keys() == phases.WORDS.keys()
    text = table({"mib": 4, "line": None, "machine": "this one", "clusters": {2: {name: row}}})
    assert SYSTEMS[name].words in text


@pytest.mark.skipif(not line.possible(), reason="this user may not `unshare --net`")
@pytest.mark.parametrize("name", ["floor", "fedspoke"])
def test_the_hub_has_no_more_than_its_line(name: str) -> None:
    clusters, mib, gbit = 2, 4, 0.05
    row = measure(name, clusters, rounds=2, mib=mib, gbit=gbit)
    assert row["seconds"] > 2 * (clusters * mib - 1) * 2**20 * 8 / (gbit * 1e9)  # down and up; the line gives half a MiB at once
    assert "a line of 0.05 Gbit/s" in table(
        {"mib": mib, "line": gbit, "machine": "this one", "clusters": {clusters: {name: row}}}
    )
