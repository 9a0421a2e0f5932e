import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from fedspoke.hub.aggregation.progress import Account, fail, read, waiting

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_the_file_says_what_was_said_last(tmp_path: Path) -> None:
    account = Account(tmp_path / "progress.json", ["cluster1"])
    account.say("Round 1 of 2 is done.", phase="Running", round=1)
    account.cluster("cluster1", phase="Trained", loss=0.5, last_round=1)
    told = json.loads((tmp_path / "progress.json").read_text())
    assert (told["phase"], told["message"], told["round"]) == ("Running", "Round 1 of 2 is done.", 1)
    assert told["clusters"]["cluster1"] == {
        "phase": "Trained", "reason": "", "remark": "", "posts": {}, "lastRound": 1, "loss": 0.5,
    }  # fmt: skip


def test_what_is_not_mentioned_stays(tmp_path: Path) -> None:
    account = Account(tmp_path / "progress.json", ["cluster1"])
    account.cluster("cluster1", phase="Ready", posts={"facebook": 3})
    account.cluster("cluster1", phase="Training")
    assert account.progress.clusters["cluster1"].posts == {"facebook": 3}


def test_a_phase_that_is_none_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(ValidationError):
        Account(tmp_path / "progress.json", []).say("…", phase="Done")


def test_a_sentence_that_was_said_already_writes_nothing(tmp_path: Path) -> None:
    account = Account(tmp_path / "progress.json", [])
    account.say("Waiting.")
    before = (tmp_path / "progress.json").stat().st_mtime_ns
    account.say("Waiting.")
    assert (tmp_path / "progress.json").stat().st_mtime_ns == before


def test_a_first_cause_stands_against_what_it_caused(tmp_path: Path) -> None:
    account = Account(tmp_path / "progress.json", [])
    account.say("cluster2 ran out of memory", phase="Failed")
    fail(tmp_path / "progress.json", "the ServerApp ended with status 1")
    told = read(tmp_path / "progress.json")
    assert told is not None
    assert told.message == "cluster2 ran out of memory"


def test_a_failure_from_outside_keeps_what_is_known_of_the_clusters(tmp_path: Path) -> None:
    account = Account(tmp_path / "progress.json", ["cluster1"])
    account.cluster("cluster1", phase="Training")
    fail(tmp_path / "progress.json", "the SuperLink ended with status 1")
    told = read(tmp_path / "progress.json")
    assert told is not None
    assert (told.phase, told.clusters["cluster1"].phase) == ("Failed", "Training")


@pytest.mark.parametrize(
    ("until", "said"),
    [
        pytest.param(NOON + timedelta(hours=1), "until 13:00:00 UTC", id="the same day"),
        pytest.param(NOON + timedelta(days=1), "until 2026-01-02 12:00:00 UTC", id="another day is named"),
    ],
)
def test_a_wait_says_for_whom_since_when_and_until_when(until: datetime, said: str) -> None:
    assert waiting("the profiles", ["cluster1", "cluster2"], NOON, until) == (
        f"waiting for the profiles: cluster1, cluster2; since 12:00:00, {said}"
    )


def test_a_file_that_a_power_cut_left_torn_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "progress.json").write_text("")
    assert read(tmp_path / "progress.json") is None
    fail(tmp_path / "progress.json", "…")
