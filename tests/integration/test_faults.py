"""Whatever is killed, at whatever moment, is started again, and the federation ends as if nothing had happened.

`FAULTS=20 FAULTS_KILLS=40` asks for more: so many seeds, so many kills each.
"""

import os
from pathlib import Path

import pytest
import yaml

from fedspoke.api.records import RoundRecord
from support.example import Example, call, copied
from support.faults import Disturbed, plan
from support.whole_run import example

SEEDS = range(int(os.environ.get("FAULTS", "1")))
KILLS = int(os.environ.get("FAULTS_KILLS", "14"))


def small(folder: Path) -> Example:
    """The demo's federation with little to train, and time enough to be started over and over."""
    given = copied(example(), folder)
    given.change(deadline="1h", server={"roundTimeout": "20m", "rounds": 5}, training={"steps": 4})
    return given


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    given = small(tmp_path_factory.mktemp("undisturbed") / "example")
    done = call(given.command(), 900)
    assert done.returncode == 0, done.stderr
    return given.out


def rounds(out: Path) -> list[tuple[str, dict[str, int]]]:
    """The adapter that each round made, and how much of it is whose."""
    records = [RoundRecord.model_validate_json(line) for line in (out / "rounds.jsonl").read_text().splitlines()]
    return [(record.digest, {name: part.examples for name, part in record.clusters.items()}) for record in records]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_federation_whose_processes_are_killed_ends_as_the_undisturbed_one(
    tmp_path: Path, undisturbed: Path, seed: int
) -> None:
    given = small(tmp_path / "example")
    with Disturbed(given, tmp_path / "run.log", seed) as disturbed:
        status = disturbed.to_the_end(plan(seed, KILLS))
    print(disturbed)  # pytest shows it if the test fails
    assert status == 0, (tmp_path / "run.log").read_text()[-6000:]
    assert len(disturbed.done) >= min(KILLS, 12)
    assert yaml.safe_load((given.out / "federatedlearning.yaml").read_text())["status"]["phase"] == "Completed"
    assert rounds(given.out) == rounds(undisturbed)  # to the byte: training on one thread and the sum's order are the same
    final = [out / "global" / "adapter_model.safetensors" for out in (given.out, undisturbed)]
    assert final[0].read_bytes() == final[1].read_bytes()
