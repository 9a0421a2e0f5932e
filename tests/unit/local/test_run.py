"""What an attempt at a federation takes over from the one before it. There are too few clusters, so that nothing is started."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from fedspoke.api.errors import Failed
from fedspoke.api.federated_learning import FederatedLearningStatus, Object
from fedspoke.api.records import ClusterRound, RoundRecord
from fedspoke.api.status import Phase
from fedspoke.hub.aggregation.releases import FILE, Releases
from fedspoke.hub.aggregation.state import State
from fedspoke.local import outcome
from fedspoke.local.folder import Folder
from fedspoke.local.processes import Machine
from fedspoke.local.run import run
from support import build
from support.federation import NOISED

CR = build.federated_learning(
    server={"minAvailableClients": 2}, privacy={"adapters": {"mechanism": "gaussian", "noiseMultiplier": 1.0}}
)


@contextmanager
def nowhere(logs: Path) -> Iterator[Machine]:
    yield Machine(logs)


def interrupted(folder: Path, phase: Phase, began: datetime) -> None:
    """What is left of an attempt at the federation."""
    with Folder.open(folder / "out", CR) as out:
        out.write_status(CR, FederatedLearningStatus(phase=phase, start_time=began))


def attempt(folder: Path, document: Object) -> tuple[str, FederatedLearningStatus]:
    """The sentence with which it fails, and the status that it leaves."""
    (folder / "clusters").mkdir(exist_ok=True)
    (folder / "cr.yaml").write_text(yaml.safe_dump(document))
    (folder / "clusters" / "oslo.yaml").write_text(yaml.safe_dump(build.cluster("oslo")))
    with pytest.raises(Failed) as failed:
        run(folder / "cr.yaml", folder / "clusters", folder / "out", lambda _: None, nowhere)
    return str(failed.value), outcome.status(outcome.resource(folder / "out"))


def test_what_was_done_and_spent_before_stands_even_if_nothing_can_be_started(tmp_path: Path) -> None:
    with Folder.open(tmp_path / "out", CR) as folder:
        part = ClusterRound(loss=2, examples=1, seconds=1, bytes_in=1, bytes_out=1)
        State(folder.state).add(RoundRecord(round=1, digest="a" * 64, loss=2, seconds=1, clusters={"oslo": part}))
        Releases(folder.state / FILE, NOISED).uploaded("oslo", 1, "b" * 64)
    said, left = attempt(tmp_path, CR)
    assert "spec.server.minAvailableClients is 2" in said
    assert (left.phase, left.rounds and left.rounds.completed) == ("Failed", 1)
    assert left.privacy is not None
    assert left.privacy.releases == 1


def test_a_run_that_goes_on_after_a_kill_keeps_its_clock(tmp_path: Path) -> None:
    began = datetime.now(UTC) - timedelta(hours=23)
    interrupted(tmp_path, "Running", began)
    said, left = attempt(tmp_path, CR)
    assert "minAvailableClients" in said, "it has an hour left"
    assert left.start_time == began


def test_a_run_that_goes_on_after_its_deadline_fails_before_anything_is_started(tmp_path: Path) -> None:
    interrupted(tmp_path, "Running", datetime(2026, 1, 1, 12, tzinfo=UTC))
    said, left = attempt(tmp_path, CR)
    assert said == (
        "spec.deadline passed at 2026-01-02 12:00:00 UTC; "
        "the same command begins another attempt, which goes on after the last finished round"
    )
    assert (left.phase, left.message) == ("Failed", said)


def test_a_run_that_is_given_again_after_it_failed_begins_another_attempt(tmp_path: Path) -> None:
    began = datetime.now(UTC)
    interrupted(tmp_path, "Failed", datetime(2026, 1, 1, 12, tzinfo=UTC))
    said, left = attempt(tmp_path, CR)
    assert "minAvailableClients" in said
    assert left.start_time is not None
    assert left.start_time >= began
