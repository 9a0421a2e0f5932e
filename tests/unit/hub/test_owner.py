"""A folder that outlived the resource of its federation, and is given to another."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from fedspoke.api.errors import Failed
from fedspoke.api.federated_learning import Lora, Server
from fedspoke.api.records import AggregatorSettings
from fedspoke.hub.aggregation import progress, superlink

CLUSTERS = ("berlin",)


def settings(folder: Path, federation: str) -> AggregatorSettings:
    return AggregatorSettings(
        run="default.social",
        clusters=CLUSTERS,
        server=Server(),
        lora=Lora(),
        model="tiny",
        holdout=False,
        profiles=False,
        state=str(folder),
        superlink_port=1,
        adapters_port=1,
        fusion="127.0.0.1:1",
        deadline=datetime(2026, 11, 21, tzinfo=UTC),
        attempt=f"of {federation}",
        federation=federation,
    )


def completed(folder: Path, federation: str) -> None:
    """Its aggregator has been there to the end."""
    given = settings(folder, federation)
    account = progress.Account(folder / "progress.json", CLUSTERS, given.attempt)
    account.say("3 rounds are done, the model is saved", phase="Completed")
    superlink.run(given, folder / "unread.json")


def test_the_same_federation_finds_its_own_end(tmp_path: Path):
    completed(tmp_path, "uid-1")
    superlink.run(settings(tmp_path, "uid-1"), tmp_path / "unread.json")
    found = progress.read(tmp_path / "progress.json")
    assert found is not None
    assert found.phase == "Completed"


def test_another_is_refused_and_not_told_that_it_is_completed(tmp_path: Path):
    completed(tmp_path, "uid-1")
    (tmp_path / "rounds.jsonl").write_text("of uid-1")
    with pytest.raises(Failed, match="of another federation"):
        superlink.run(settings(tmp_path, "uid-2"), tmp_path / "unread.json")
    found = progress.read(tmp_path / "progress.json")
    assert found is not None
    assert (found.phase, found.attempt) == ("Failed", "of uid-2")
    assert "give this one a path of its own" in found.message
    assert (tmp_path / "rounds.jsonl").read_text() == "of uid-1"
