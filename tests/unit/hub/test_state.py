"""What a restarted aggregator makes of the files that it finds."""

import os
from pathlib import Path

import pytest

from fedspoke.api.errors import Failed
from fedspoke.api.records import RoundRecord
from fedspoke.hub.aggregation.state import State
from support import adapters
from support.federation import settings

LAYOUT = adapters.layout()


def kept(folder: Path, rounds: int) -> State:
    """As so many rounds leave it."""
    state = State(folder)
    for number in range(rounds + 1):
        adapters.save(adapters.filled(LAYOUT, number), state.checkpoint(number))
        if number:
            digest = adapters.digest(state.checkpoint(number))
            state.add(RoundRecord(round=number, digest=digest, loss=1, seconds=1, clusters={}))
    return state


@pytest.fixture
def synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was forced to the disk so far, by its path in the folder."""
    paths: list[str] = []

    def record(descriptor: int) -> None:
        paths.append(str(Path(f"/proc/self/fd/{descriptor}").readlink().relative_to(tmp_path)))

    monkeypatch.setattr(os, "fsync", record)  # of this call neither Python (sys.audit) nor the kernel (/proc) tells anybody
    return paths


def test_a_checkpoint_is_on_the_disk_before_it_has_its_name(tmp_path: Path, synced: list[str]) -> None:
    State(tmp_path).start(LAYOUT, settings(tmp_path))
    content, folder = synced
    assert content.startswith("rounds/.0.safetensors.")
    assert folder == "rounds"


def test_a_finished_round_is_on_the_disk_when_it_is_said_to_be(tmp_path: Path, synced: list[str]) -> None:
    kept(tmp_path, 1)
    content, folder = synced
    assert content.startswith(".rounds.jsonl.")
    assert folder == "."


def test_the_model_is_on_the_disk_when_it_is_said_to_be_saved(tmp_path: Path, synced: list[str]) -> None:
    state = kept(tmp_path, 1)
    synced.clear()
    state.save(state.checkpoint(1), settings(tmp_path))
    assert {"global/adapter_model.safetensors", "global/adapter_config.json", "global", "."} <= set(synced)


def test_it_goes_on_after_the_last_finished_round(tmp_path: Path) -> None:
    state = kept(tmp_path, 3)
    assert state.start(LAYOUT, settings(tmp_path))[:2] == (3, state.checkpoint(3))


@pytest.mark.parametrize("rounds", [0, 1, 3])
def test_a_checkpoint_whose_line_a_crash_prevented_is_made_again(tmp_path: Path, rounds: int) -> None:
    state = kept(tmp_path, rounds)
    adapters.save(adapters.filled(LAYOUT, 7), state.checkpoint(rounds + 1))
    assert state.start(LAYOUT, settings(tmp_path))[0] == rounds


def test_lost_rounds_are_not_trained_anew_without_a_word(tmp_path: Path) -> None:
    state = kept(tmp_path, 3)
    (tmp_path / "rounds.jsonl").unlink()
    with pytest.raises(
        Failed, match=r"rounds.jsonl ends with round 0, but there is a checkpoint of round 3; restore it or empty"
    ):
        state.start(LAYOUT, settings(tmp_path))


def test_an_emptied_rounds_jsonl_is_no_beginning(tmp_path: Path) -> None:
    state = kept(tmp_path, 1)
    (tmp_path / "rounds.jsonl").write_text("")
    with pytest.raises(Failed, match="ends with round 0, but there is a checkpoint of round 1"):
        state.start(LAYOUT, settings(tmp_path))


def test_a_line_that_is_no_round_is_named_by_its_field(tmp_path: Path) -> None:
    state = kept(tmp_path, 1)
    line = (tmp_path / "rounds.jsonl").read_text()
    (tmp_path / "rounds.jsonl").write_text(line.replace('"loss":1.0', '"loss":null'))
    with pytest.raises(Failed, match=r"holds a line that is no round \(loss: Input should be a valid number\)"):
        state.start(LAYOUT, settings(tmp_path))


def test_a_checkpoint_that_is_gone_is_named(tmp_path: Path) -> None:
    state = kept(tmp_path, 1)
    state.checkpoint(1).unlink()
    with pytest.raises(Failed, match=r"rounds/1.safetensors of round 1 is gone"):
        state.last()


def test_what_is_kept_beside_a_checkpoint_goes_with_it(tmp_path: Path) -> None:
    (tmp_path / "rounds").mkdir()
    for number in range(4):
        (tmp_path / "rounds" / f"{number}.moments").touch()
    kept(tmp_path, 3)
    assert sorted(path.name for path in (tmp_path / "rounds").iterdir()) == [
        "2.moments", "2.safetensors", "3.moments", "3.safetensors",
    ]  # fmt: skip
