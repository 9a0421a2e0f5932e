"""Whatever is killed, at whatever moment, is started again, and the federation ends as if nothing had happened.

`FAULTS=20 FAULTS_KILLS=40` asks for more: so many seeds, so many kills each. A seed is of a federation that needs all of its
clusters, or of one that goes on without those that are late.
"""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

from fedspoke.api import noise, parse
from fedspoke.api.records import RoundRecord
from fedspoke.hub.aggregation import releases
from support import changed, recombined
from support.example import Example, call, copied
from support.faults import VICTIMS, Disturbed, plan
from support.whole_run import example

SEEDS = range(int(os.environ.get("FAULTS", "2")))
KILLS = int(os.environ.get("FAULTS_KILLS", "0"))
ROUNDS = 5
LONG = 12
"""Rounds that outlast five kills, on a machine however fast, though no kill holds up the cluster that is left."""
ALWAYS = {cluster: {"checkpointSeconds": 0} for cluster in ("berlin", "lyon")}
"""A checkpoint after each step."""
LATE = ("aggregator", "flower-client", "flow or ClientApp", "spoke's gateway", "trainer between two steps")
"""Without whom a round loses a cluster, or does not know whom it has counted."""


def small(folder: Path, **spec: Any) -> Example:
    """The demo's federation with a second's training each round, and time enough to be started over and over."""
    given = copied(example(), folder)
    server = {"roundTimeout": "20m", "rounds": ROUNDS} | spec.pop("server", {})
    given.change(deadline="1h", server=server, training={"steps": 30}, **spec)
    return given


def to_the_end(given: Example, seed: int, victims: Iterable[str], log: Path, *, in_rounds: bool) -> None:
    """Run it, kill by kill, until it is completed."""
    kills = plan(seed, victims, KILLS)
    with Disturbed(changed.command(given, ALWAYS), given.out, log, seed) as disturbed:
        status = disturbed.to_the_end(kills, in_rounds=in_rounds)
    print(disturbed)  # pytest shows it if the test fails
    assert status == 0, log.read_text()[-6000:]
    assert len(disturbed.done) == len(kills)
    assert told(given.out)["phase"] == "Completed"


def told(out: Path) -> Any:
    return yaml.safe_load((out / "federatedlearning.yaml").read_text())["status"]


def rounds(out: Path) -> list[RoundRecord]:
    return [RoundRecord.model_validate_json(line) for line in (out / "rounds.jsonl").read_text().splitlines()]


def parts(out: Path) -> list[tuple[str, dict[str, int]]]:
    """The adapter that each round made, and how much of it is whose."""
    return [(record.digest, {name: part.examples for name, part in record.clusters.items()}) for record in rounds(out)]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    given = small(tmp_path_factory.mktemp("undisturbed") / "example")
    done = call(given.command(), 900)
    assert done.returncode == 0, done.stderr
    return given.out


@pytest.mark.parametrize("seed", SEEDS[::2])
def test_a_federation_that_needs_all_of_its_clusters_ends_as_the_undisturbed_one(
    tmp_path: Path, undisturbed: Path, seed: int
) -> None:
    given = small(tmp_path / "example")
    to_the_end(given, seed, VICTIMS, tmp_path / "run.log", in_rounds=False)
    assert parts(given.out) == parts(undisturbed)  # to the byte: training on one thread and the sum's order are the same
    final = [out / "global" / "adapter_model.safetensors" for out in (given.out, undisturbed)]
    assert final[0].read_bytes() == final[1].read_bytes()
    logs = [log.read_text() for log in given.out.glob("logs/*-mcp-server.log")]
    assert any("goes on after step" in log for log in logs)  # the trainer that was killed between two steps


@pytest.mark.parametrize("seed", SEEDS[1::2])
def test_a_federation_that_goes_on_without_the_late_counts_each_update_once_and_all_that_was_spent(
    tmp_path: Path, seed: int
) -> None:
    privacy = {"mechanism": "gaussian", "clip": 1.0, "noiseMultiplier": 0.5}
    server = {"rounds": LONG, "minResponses": 1, "aggregation": {"strategy": "fedyogi"}}
    given = small(tmp_path / "example", server=server, privacy={"adapters": privacy})
    with recombined.keeping(given.out, tmp_path / "kept") as kept:
        to_the_end(given, seed, LATE, tmp_path / "run.log", in_rounds=True)

    records, how = rounds(given.out), parse.federated_learning(parse.document(given.cr)).spec.server.aggregation
    file = given.out / "hub/state" / releases.FILE
    account, counts = json.loads(file.read_text()), releases.counts(file)
    assert [record.round for record in records] == list(range(1, LONG + 1))
    used: list[str] = []
    for record, before in zip(records, [None, *records], strict=False):
        made_of = kept.made_of(record, before, how, tmp_path)
        assert made_of, f"round {record.round} is not made of one update of each cluster that its record names"
        assert all(digest in account[cluster]["uploads"][str(record.round)] for cluster, digest in made_of.items())
        used += made_of.values()
    assert len(set(used)) == len(used)
    spent = told(given.out)["privacy"]
    assert spent["releases"] == max(counts.values())
    assert spent["epsilon"] >= noise.epsilon(spent["delta"], noise.composed([2 / 0.5] * spent["releases"]))
