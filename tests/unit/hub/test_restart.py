"""The aggregator is killed at any step, and another goes on: the model is the same to the byte, and nothing counts twice."""

import os
import random
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fedspoke.api.records import Progress, RoundRecord, TrainOrder
from fedspoke.hub.aggregation.progress import read
from support import adapters
from support.federation import Site, settings


def loss(number: int) -> float:
    return {1: 3.0, 2: 2.95}.get(number, 2.9)


class Killed(BaseException):
    """No handler of ours catches it, as none catches a signal 9."""


@dataclass
class Fate:
    """Counts the steps and kills at one of them; 0: at none."""

    deadly: int = 0
    steps: int = 0

    def step(self) -> None:
        self.steps += 1
        if self.steps == self.deadly:
            raise Killed

    def on(self, does: Callable[..., Any]) -> Callable[..., Any]:
        """The same, as a step."""

        def stepping(*arguments: Any) -> Any:
            self.step()
            return does(*arguments)

        return stepping


def live(folder: Path, fate: Fate, monkeypatch: pytest.MonkeyPatch) -> None:
    """One aggregator's life: every look at the nodes, order, question to the fusion service and write to the disk is a step."""
    converges = {"min_delta": 0.1, "patience": 1}  # on the losses above, after round 2
    site = Site(settings(folder, rounds=5, convergence=converges, holdout=True, profiles=True))
    site.join("cluster1", value=1, examples=1, held_out=loss)
    site.join("cluster2", value=5, examples=3, held_out=loss)
    for name in ("online", "ask", "answers"):
        monkeypatch.setattr(site.nodes, name, fate.on(getattr(site.nodes, name)))
    site.general_profile = fate.on(site.general_profile)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: fate.step())
        site.run()


def outcome(folder: Path) -> tuple[bytes, list[tuple[int, str, dict[str, int]]], Progress | None]:
    lines = (folder / "rounds.jsonl").read_text().splitlines()
    records = [RoundRecord.model_validate_json(line) for line in lines]
    weights = [
        (record.round, record.digest, {name: part.examples for name, part in record.clusters.items()}) for record in records
    ]
    return (folder / "global" / "adapter_model.safetensors").read_bytes(), weights, read(folder / "progress.json")


def lives(folder: Path, deaths: list[int], monkeypatch: pytest.MonkeyPatch) -> int:
    """One life after the other, each killed at its step unless it ends before, and a last one: how many steps that took."""
    for deadly in deaths:
        with monkeypatch.context() as patch, suppress(Killed):
            live(folder, Fate(deadly), patch)
    fate = Fate()
    with monkeypatch.context() as patch:
        live(folder, fate, patch)
    return fate.steps


def test_killed_at_any_step_it_ends_as_if_it_had_not_been(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = lives(tmp_path / "undisturbed", [], monkeypatch)
    undisturbed = outcome(tmp_path / "undisturbed")
    assert steps > 40
    assert [number for number, *_ in undisturbed[1]] == [1, 2]
    for deadly in range(1, steps + 1):
        folder = tmp_path / str(deadly)
        lives(folder, [deadly], monkeypatch)
        assert outcome(folder) == undisturbed, f"killed at step {deadly} of {steps}"


@pytest.mark.parametrize("seed", range(5))
def test_killed_again_and_again_it_ends_as_if_it_had_not_been(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    steps = lives(tmp_path / "undisturbed", [], monkeypatch)
    deaths = [random.Random(seed + number).randint(1, steps) for number in range(5)]
    lives(tmp_path / "killed", deaths, monkeypatch)
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
