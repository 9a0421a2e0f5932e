"""Training in too little memory: a hook says that there is none, as the device would, above so many posts at once."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_pre_hook

from fedspoke.api.errors import Final
from fedspoke.api.federated_learning import Lora
from fedspoke.collaborator.training import Trainer
from fedspoke.data.records import CleanRecord
from support import adapters as files
from support.training import silent, trainer

LORA = Lora(rank=8, alpha=16, dropout=0)


class Room:
    """For so many posts a forward pass; for so many times more with gradient checkpointing."""

    def __init__(self, of: Trainer, posts: int, checkpointed: int = 1) -> None:
        self.posts = posts
        self.checkpointed = checkpointed
        self.seen: list[int] = []
        self._model = of._model.get_base_model()
        self._model.register_forward_pre_hook(self._hook, with_kwargs=True)

    def _hook(self, module: torch.nn.Module, args: Any, inputs: dict[str, Any]) -> None:
        count = len(inputs["input_ids"])
        self.seen.append(count)
        if count > self.posts * (self.checkpointed if self._model.is_activation_checkpointing else 1):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


def test_gradient_checkpointing_changes_no_byte(posts: list[CleanRecord], start: Path, tmp_path: Path) -> None:
    trainer().train(posts, tmp_path, start, tmp_path / "enough", 1, silent)
    tight = trainer()
    room = Room(tight, posts=2, checkpointed=2)
    tight.train(posts, tmp_path, start, tmp_path / "tight", 1, silent)
    assert tight._passes.memory.checkpointing
    assert max(room.seen) == 4  # posts a batch, as was asked for
    assert (tmp_path / "tight").read_bytes() == (tmp_path / "enough").read_bytes()


@pytest.mark.parametrize("room", [1, 2, 3])
def test_smaller_parts_leave_the_same_gradient_up_to_rounding(
    posts: list[CleanRecord], start: Path, tmp_path: Path, room: int
) -> None:
    posts = [post.model_copy(update={"text": post.text * n}) for n, post in enumerate(posts, 1)]  # of unequal length
    found = []
    for limit in (4, room):
        model = trainer(lora=LORA)
        Room(model, limit)
        examples = model._examples(posts, tmp_path)
        model._model.train()
        batches = [examples[:4], examples[4:8], examples[8:]]
        loss = model._passes.memory.fit(partial(model._passes.gradients, batches, seed=0))
        found.append(
            (loss, {name: value.grad.clone() for name, value in model._model.named_parameters() if value.grad is not None})
        )
    (loss, gradients), (parted_loss, parted) = found
    assert parted_loss == pytest.approx(loss, rel=1e-5)
    assert gradients.keys() == parted.keys()
    for name, gradient in gradients.items():
        assert torch.allclose(parted[name], gradient, rtol=1e-4, atol=1e-6), name


def test_what_fits_is_found_once_and_kept_for_later_steps_and_rounds(
    posts: list[CleanRecord], start: Path, tmp_path: Path
) -> None:
    model = trainer()
    room = Room(model, posts=1)
    model.train(posts, tmp_path, start, tmp_path / "result", 1, silent)
    assert [count for count in room.seen if count > 1] == [4, 4, 2]  # as asked for, with checkpointing, half
    room.seen.clear()
    model.train(posts, tmp_path, start, tmp_path / "result", 2, silent)
    assert set(room.seen) == {1}


def test_one_post_that_does_not_fit_ends_the_round_with_what_to_lower(
    posts: list[CleanRecord], start: Path, tmp_path: Path
) -> None:
    model = trainer()
    room = Room(model, posts=0)
    with pytest.raises(
        Final, match=r"does not suffice to train on posts, one at a time: this machine has [\d.]+ GiB, .* training\.maxLength"
    ):
        model.train(posts, tmp_path, start, tmp_path / "result", 1, silent)
    assert not (tmp_path / "result").exists()
    room.posts = 4
    assert model.train(posts, tmp_path, start, tmp_path / "result", 2, silent).examples == 9


class Optimiser:
    """Lacks memory as it is about to take a step, so many times."""

    def __init__(self, times: int) -> None:
        self.times = times
        self.steps = 0

    def __call__(self, *_: Any) -> None:
        self.times -= 1
        if self.times >= 0:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        self.steps += 1


@pytest.fixture
def optimiser() -> Iterator[Callable[[int], Optimiser]]:
    with ExitStack() as hooks:

        def lacking(times: int) -> Optimiser:
            made = Optimiser(times)
            hooks.callback(register_optimizer_step_pre_hook(made).remove)
            return made

        yield lacking


def test_a_step_of_the_optimiser_that_lacks_memory_is_taken_again_and_changes_no_byte(
    posts: list[CleanRecord], start: Path, tmp_path: Path, optimiser: Callable[[int], Optimiser]
) -> None:
    trainer().train(posts, tmp_path, start, tmp_path / "enough", 1, silent)
    tight, of = trainer(), optimiser(1)
    tight.train(posts, tmp_path, start, tmp_path / "tight", 1, silent)
    assert tight._passes.memory.checkpointing  # the first rung
    assert of.steps == 4
    assert (tmp_path / "tight").read_bytes() == (tmp_path / "enough").read_bytes()


def test_an_optimiser_that_never_fits_ends_the_round_in_a_sentence(
    posts: list[CleanRecord], start: Path, tmp_path: Path, optimiser: Callable[[int], Optimiser]
) -> None:
    optimiser(100)
    with pytest.raises(Final, match="does not suffice to train on posts, one at a time: "):
        trainer().train(posts, tmp_path, start, tmp_path / "result", 1, silent)
    assert not (tmp_path / "result").exists()


def test_measuring_and_writing_captions_fit_too(posts: list[CleanRecord], start: Path, tmp_path: Path) -> None:
    enough, tight, writes = trainer(), trainer(), trainer()
    measuring, writing = Room(tight, posts=1), Room(writes, posts=1)
    assert tight.loss(posts, tmp_path, start) == pytest.approx(enough.loss(posts, tmp_path, start), rel=1e-5)
    assert writes.captions(posts[:2], tmp_path, start) == enough.captions(posts[:2], tmp_path, start)
    assert [count for count in measuring.seen if count > 1] == [4, 2]
    assert max(writing.seen) == 2
    assert set(writing.seen[2:]) == {1}
    assert not tight._passes.memory.checkpointing  # of no use without gradients


def test_a_tight_training_is_as_good(posts: list[CleanRecord], start: Path, tmp_path: Path) -> None:
    for name, room in (("enough", 4), ("tight", 1)):
        model = trainer(lora=LORA, steps=1)
        Room(model, room)
        model.train(posts, tmp_path, start, tmp_path / name, 1, silent)
    enough, tight = files.load(tmp_path / "enough"), files.load(tmp_path / "tight")
    for name in enough:
        assert tight[name] == pytest.approx(enough[name], abs=2e-3)
