"""A cluster whose training really diverges: its rounds end in a sentence, and the federation goes on with the others."""

import subprocess

import pytest
import yaml

from fedspoke.api.records import RoundRecord
from support import changed
from support.example import Example, copied
from support.whole_run import example


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Example:
    given = copied(example(), tmp_path_factory.mktemp("diverging") / "example")
    given.change(server={"minResponses": 1, "rounds": 2}, training={"steps": 4})
    command = changed.command(given, {"lyon": {"training": {"learningRate": 1e30}}})
    ended = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False, cwd=changed.FOLDER)
    assert ended.returncode == 0, ended.stderr
    return given


def test_its_rounds_are_made_by_the_others_and_say_why_in_a_sentence(done: Example) -> None:
    rounds = [RoundRecord.model_validate_json(line) for line in (done.out / "rounds.jsonl").read_text().splitlines()]
    assert [(record.round, list(record.clusters)) for record in rounds] == [(1, ["berlin"]), (2, ["berlin"])]
    for record in rounds:
        assert record.refused == {
            "lyon": f"train failed: training diverged in round {record.round}, step 2 of 4: the loss is nan; "
            "try a training.learningRate below 1e+30"
        }


def test_the_federation_is_completed_and_its_status_names_who_was_missing(done: Example) -> None:
    status = yaml.safe_load((done.out / "federatedlearning.yaml").read_text())["status"]
    assert (status["phase"], status["rounds"]) == ("Completed", {"completed": 2, "total": 2})
    assert "lyon took part in 0 of 2 rounds (train failed: training diverged" in status["message"]


def test_its_trainer_lives_and_measures_the_others_adapter(done: Example) -> None:
    log = (done.out / "logs" / "lyon-mcp-server.log").read_text()
    assert "Traceback" not in log
    assert "evaluate: done" in log
    assert "generate_profile: done" in log
