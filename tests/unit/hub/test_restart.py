"""The aggregator is killed at any step, and another goes on: the model is the same to the byte, and nothing counts twice."""

import random
import shutil
from pathlib import Path

import pytest

from fedspoke.api.records import Progress, RoundRecord, TrainOrder
from fedspoke.hub.aggregation import releases
from fedspoke.hub.aggregation.progress import read
from support import adapters, profiles
from support.fate import Fate, MortalNodes
from support.federation import NOISED, Site, settings


def loss(number: int) -> float:
    return {1: 3.0, 2: 2.95}.get(number, 2.9)


def live(folder: Path, fate: Fate) -> None:
    """One aggregator's life, and its end if that is its fate."""

    def general_profile() -> bytes:
        fate.step()
        return profiles.general(["cluster1"]).model_dump_json(by_alias=True).encode()

    converges = {"min_delta": 0.1, "patience": 1}  # on the losses above, after round 2
    told = settings(folder, rounds=5, convergence=converges, holdout=True, profiles=True, privacy=NOISED)
    with fate:
        site = Site(told, MortalNodes(fate), general_profile=general_profile)
        site.join("cluster1", value=1, examples=1, held_out=loss)
        site.join("cluster2", value=5, examples=3, held_out=loss)
        site.run()


Outcome = tuple[bytes, list[tuple[int, str, dict[str, int]]], Progress | None, dict[str, int]]


def outcome(folder: Path) -> Outcome:
    """The model, who has which part in which round, what is said in the end, and what is on the account of spent privacy."""
    lines = (folder / "rounds.jsonl").read_text().splitlines()
    records = [RoundRecord.model_validate_json(line) for line in lines]
    weights = [
        (record.round, record.digest, {name: part.examples for name, part in record.clusters.items()}) for record in records
    ]
    model = (folder / "global" / "adapter_model.safetensors").read_bytes()
    return model, weights, read(folder / "progress.json"), releases.counts(folder / releases.FILE)


def lives(folder: Path, *deaths: int) -> int:
    """One life after the other, each killed at its step unless it ends before, and a last one: how many steps that took."""
    for deadly in deaths:
        live(folder, Fate(deadly))
    fate = Fate()
    live(folder, fate)
    return fate.steps


def test_killed_at_any_step_it_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    steps = lives(tmp_path / "undisturbed")
    undisturbed = outcome(tmp_path / "undisturbed")
    assert steps > 70
    assert [number for number, *_ in undisturbed[1]] == [1, 2]
    assert undisturbed[3] == {"cluster1": 2, "cluster2": 2}
    for deadly in range(1, steps + 1):
        folder = tmp_path / str(deadly)
        lives(folder, deadly)
        assert outcome(folder) == undisturbed, f"killed at step {deadly} of {steps}"


@pytest.mark.parametrize("seed", range(5))
def test_killed_again_and_again_it_ends_as_if_it_had_not_been(tmp_path: Path, seed: int) -> None:
    steps = lives(tmp_path / "undisturbed")
    deaths = [random.Random(seed + number).randint(1, steps) for number in range(5)]
    lives(tmp_path / "killed", *deaths)
    assert outcome(tmp_path / "killed") == outcome(tmp_path / "undisturbed"), f"killed at the steps {deaths}"


def test_what_a_killed_one_was_writing_is_removed(tmp_path: Path) -> None:
    (tmp_path / "rounds").mkdir()
    (tmp_path / "rounds" / ".2.safetensors.k3x9").write_bytes(b"half")
    site = Site(settings(tmp_path))
    site.join("cluster1")
    site.join("cluster2")
    site.run()
    assert sorted(path.name for path in (tmp_path / "rounds").iterdir()) == ["1.safetensors", "2.safetensors"]


def test_an_aggregator_that_is_restarted_after_the_last_round_needs_nobody(tmp_path: Path) -> None:
    first = Site(settings(tmp_path))
    first.join("cluster1")
    first.join("cluster2")
    first.run()
    shutil.rmtree(tmp_path / "global")
    second = Site(settings(tmp_path))
    second.run()
    assert (second.account.progress.phase, second.account.progress.round) == ("Completed", 2)
    assert second.account.progress.model == adapters.digest(tmp_path / "global" / "adapter_model.safetensors")


def test_a_restarted_aggregator_goes_on_after_the_last_finished_round(tmp_path: Path) -> None:
    first = Site(settings(tmp_path))
    first.join("cluster1")
    first.join("cluster2", fails={2: "the power went"})
    first.failure()
    second = Site(settings(tmp_path))
    second.join("cluster1")
    second.join("cluster2")
    second.run()
    assert {order.round for _, order in second.nodes.asked if isinstance(order, TrainOrder)} == {2}
    assert [record.round for record in second.state.records()] == [1, 2]


def test_a_checkpoint_that_was_changed_is_not_gone_on_from(tmp_path: Path) -> None:
    first = Site(settings(tmp_path))
    first.join("cluster1")
    first.join("cluster2", fails={2: "the power went"})
    first.failure()
    adapters.save(adapters.filled(adapters.layout(), 7), first.state.checkpoint(1))
    second = Site(settings(tmp_path))
    second.join("cluster1")
    second.join("cluster2")
    assert "are not those that rounds.jsonl names" in second.failure()


def test_a_restarted_aggregator_that_has_converged_trains_no_more(tmp_path: Path) -> None:
    told = settings(tmp_path, rounds=10, convergence={"patience": 1})
    first = Site(told)
    first.join("cluster1", loss=lambda _: 1.0)
    first.join("cluster2", loss=lambda _: 1.0)
    first.run()
    second = Site(told)
    second.run()
    assert second.account.progress.message == first.account.progress.message
    assert second.account.progress.clusters["cluster1"].last_round == 2


def test_a_restarted_aggregator_needs_no_more_than_the_quorum_of_a_round(tmp_path: Path) -> None:
    told = settings(tmp_path, min_available_clients=2, min_responses=1)
    first = Site(told)
    first.join("cluster1", fails={2: "the power went"})
    first.join("cluster2", fails={2: "the power went"})
    first.failure()
    second = Site(told)
    second.join("cluster1")
    second.run()
    assert set(second.state.records()[1].clusters) == {"cluster1"}
