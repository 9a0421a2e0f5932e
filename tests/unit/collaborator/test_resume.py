"""A round that was interrupted goes on, and ends in the bytes of one that was not."""

from pathlib import Path

import pytest
import torch

from fedspoke.api.aggregation import Aggregation
from fedspoke.api.federated_learning import Lora
from fedspoke.collaborator.checkpoint import Checkpoints, State
from fedspoke.collaborator.descent import Descent
from fedspoke.collaborator.training import Trainer
from fedspoke.data.records import CleanRecord
from support import adapters as files
from support.training import silent, trainer


class Stop(Exception):
    """The caller went away."""


def until(last: int):
    """Hears the steps up to one, and stops the training there."""

    def hear(step: int, steps: int, loss: float) -> None:
        if step == last:
            raise Stop

    return hear


def resuming(folder: Path, **changes) -> Trainer:
    """As a new process would have it, with a checkpoint after each step."""
    return trainer(checkpoints=Checkpoints(folder / "checkpoint", every=0), **changes)


def test_who_ends_a_training_between_two_steps_leaves_a_checkpoint_there(
    posts: list[CleanRecord], start: Path, tmp_path: Path
) -> None:
    model, heard = trainer(checkpoints=Checkpoints(tmp_path / "checkpoint", every=3600)), list[int]()
    with pytest.raises(Stop):
        model.train(posts, tmp_path, start, tmp_path / "result", 1, until(2))
    model.train(posts, tmp_path, start, tmp_path / "result", 1, lambda step, *_: heard.append(step))
    assert heard == [3, 4]


class Counting(Checkpoints):
    """Keeps the steps after which a checkpoint was written."""

    def __init__(self, folder: Path, every: float) -> None:
        super().__init__(folder / "checkpoint", every=every)
        self.written: list[int] = []

    def save(self, state: State, descent: Descent) -> None:
        self.written.append(state.step)
        super().save(state, descent)


@pytest.mark.parametrize(("every", "written"), [(0, [1, 2]), (3600, [2])], ids=["due", "not due"])
def test_one_checkpoint_is_written_at_the_step_at_which_a_training_is_ended(
    every: float, written: list[int], posts: list[CleanRecord], start: Path, tmp_path: Path
) -> None:
    checkpoints = Counting(tmp_path, every)
    with pytest.raises(Stop):
        trainer(checkpoints=checkpoints).train(posts, tmp_path, start, tmp_path / "result", 1, until(2))
    assert checkpoints.written == written


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="averaged"),
        pytest.param({"aggregation": Aggregation(strategy="fedprox"), "weight_decay": 0.1}, id="pulled"),
        pytest.param({"aggregation": Aggregation(lora="ffa"), "rounds": 3, "schedule": "cosine"}, id="lora_B alone"),
    ],
)
def test_interrupted_at_any_step_it_ends_in_the_same_bytes(
    changes, posts: list[CleanRecord], start: Path, tmp_path: Path
) -> None:
    undisturbed = trainer(**changes).train(posts, tmp_path, start, tmp_path / "undisturbed", 1, silent)
    model = resuming(tmp_path, **changes)
    for last in range(1, 5):
        heard: list[int] = []
        with pytest.raises(Stop):
            model.train(posts, tmp_path, start, tmp_path / "result", 1, until(last))
        outcome = model.train(posts, tmp_path, start, tmp_path / "result", 1, lambda step, *_, heard=heard: heard.append(step))
        assert heard == list(range(last + 1, 5))
        assert (tmp_path / "result").read_bytes() == (tmp_path / "undisturbed").read_bytes()
        assert (outcome.examples, outcome.loss) == (undisturbed.examples, undisturbed.loss)
        (tmp_path / "checkpoint").unlink()


def test_interrupted_at_every_step_it_ends_in_the_same_bytes(posts: list[CleanRecord], start: Path, tmp_path: Path) -> None:
    trainer().train(posts, tmp_path, start, tmp_path / "undisturbed", 1, silent)
    for last in range(1, 5):
        with pytest.raises(Stop):
            resuming(tmp_path).train(posts, tmp_path, start, tmp_path / "result", 1, until(last))
    resuming(tmp_path).train(posts, tmp_path, start, tmp_path / "result", 1, silent)
    assert (tmp_path / "result").read_bytes() == (tmp_path / "undisturbed").read_bytes()


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"round_": 2}, id="another round"),
        pytest.param({"seed": 1}, id="another setting"),
        pytest.param({"aggregation": Aggregation(strategy="fedprox")}, id="another strategy"),
        pytest.param({"rounds": 9}, id="another number of rounds"),
        pytest.param({"posts": 7}, id="other posts"),
        pytest.param({"start": 1.0}, id="another adapter to start from"),
    ],
)
def test_what_is_left_of_another_training_is_not_gone_on_with(
    other, posts: list[CleanRecord], start: Path, tmp_path: Path
) -> None:
    with pytest.raises(Stop):
        resuming(tmp_path).train(posts, tmp_path, start, tmp_path / "result", 1, until(2))
    round_, given = other.pop("round_", 1), posts[: other.pop("posts", None)]
    if "start" in other:
        files.save(files.filled(trainer().layout(), other.pop("start")), start)
    heard: list[int] = []
    resuming(tmp_path, **other).train(given, tmp_path, start, tmp_path / "result", round_, lambda step, *_: heard.append(step))
    assert heard == [1, 2, 3, 4]


def test_a_damaged_checkpoint_is_as_none(posts: list[CleanRecord], start: Path, tmp_path: Path) -> None:
    (tmp_path / "checkpoint").write_bytes(b"half of it")
    heard: list[int] = []
    resuming(tmp_path).train(posts, tmp_path, start, tmp_path / "result", 1, lambda step, *_: heard.append(step))
    assert heard == [1, 2, 3, 4]


def test_checkpoints_are_written_by_the_time_that_passed(tmp_path: Path) -> None:
    now = [100.0]
    checkpoints = Checkpoints(tmp_path / "checkpoint", every=60, clock=lambda: now[0])
    weight = torch.nn.Parameter(torch.zeros(2, 3))
    descent = Descent({"w": weight}, trainer()._training, 0)
    weight.grad = torch.ones(2, 3)
    descent.step(1.0)

    def due_after(seconds: float) -> bool:
        now[0] += seconds
        return checkpoints.due()

    assert checkpoints.restore("k", descent) is None
    assert not due_after(59)
    assert due_after(1)
    checkpoints.save(State(key="k", step=1), descent)
    assert not due_after(59)
    assert due_after(1)
    checkpoints.restore("k", descent)
    assert not due_after(59)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint"]
    checkpoints.remove()
    checkpoints.remove()
    assert not list(tmp_path.iterdir())


def test_what_was_found_to_fit_in_memory_goes_on_too(posts: list[CleanRecord], start: Path, tmp_path: Path) -> None:
    settings = {"lora": Lora(rank=8, alpha=16), "steps": 4}
    small = resuming(tmp_path, **settings)
    small._passes.memory.at_most(2, checkpointing=True)
    with pytest.raises(Stop):
        small.train(posts, tmp_path, start, tmp_path / "result", 1, until(2))
    again = resuming(tmp_path, **settings)
    again.train(posts, tmp_path, start, tmp_path / "result", 1, silent)
    assert (again._passes.memory.posts, again._passes.memory.checkpointing) == (2, True)
