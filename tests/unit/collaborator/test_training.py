"""Training on a tiny LLaVA: what is learned, from which tokens, and what is said when it cannot be."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft.tuners.lora import LoraLayer

from fedspoke.api.aggregation import Aggregation
from fedspoke.api.errors import Failed, Final, Refused
from fedspoke.api.federated_learning import Lora
from fedspoke.collaborator.training import Trainer
from fedspoke.data.records import CleanRecord
from support import adapters as files
from support.tiny import coloured_shapes, record
from support.training import first_adapter, silent, trainer

Overfitted = tuple[Trainer, list[CleanRecord], Path]


@pytest.fixture
def posts(tmp_path: Path) -> list[CleanRecord]:
    return coloured_shapes(tmp_path)


@pytest.fixture(scope="module")
def overfitted(tmp_path_factory: pytest.TempPathFactory) -> Overfitted:
    folder = tmp_path_factory.mktemp("overfitted")
    posts = [*coloured_shapes(folder), record("no picture, only these words")]
    model = trainer(steps=80)
    model.train(posts, folder, first_adapter(model, folder / "start"), folder / "result", 1, silent)
    return model, posts, folder


def test_the_loss_falls_to_almost_nothing(overfitted: Overfitted) -> None:
    model, posts, folder = overfitted
    before, after = (model.loss(posts, folder, folder / name) for name in ("start", "result"))
    assert after < 0.02 * before


def test_an_overfitted_model_writes_each_posts_caption_with_and_without_a_picture(overfitted: Overfitted) -> None:
    model, posts, folder = overfitted
    assert model.captions(posts, folder, folder / "result") == [post.text for post in posts]


def test_swapped_pictures_get_swapped_captions(overfitted: Overfitted) -> None:
    model, posts, folder = overfitted
    first, second = posts[0], posts[5]
    swapped = [first.model_copy(update={"image": second.image}), second.model_copy(update={"image": first.image})]
    assert model.captions(swapped, folder, folder / "result") == [second.text, first.text]


def test_without_an_adapter_it_is_the_base_model(overfitted: Overfitted) -> None:
    model, posts, folder = overfitted
    assert model.loss(posts, folder, None) == pytest.approx(model.loss(posts, folder, folder / "start"), rel=1e-5)


def test_text_only_posts_are_learned(start: Path, tmp_path: Path) -> None:
    model, posts = trainer(steps=10), [record(f"day {n} without a picture") for n in range(5)]
    outcome = model.train(posts, tmp_path, start, tmp_path / "result", 1, silent)
    assert outcome.examples == 5
    assert model.loss(posts, tmp_path, tmp_path / "result") < 0.5 * model.loss(posts, tmp_path, start)


def test_the_adapter_is_on_every_linear_layer_of_the_language_model_and_nowhere_else() -> None:
    names = [tensor.name for tensor in trainer().layout()]
    assert names == sorted(names)
    assert len(names) == 2 * 7 * 2  # layers × projections × factors
    assert all(".language_model.layers." in name for name in names)


def test_nothing_but_the_adapter_changes(posts: list[CleanRecord], start: Path, tmp_path: Path) -> None:
    model = trainer()
    frozen = {name: value.clone() for name, value in model._model.named_parameters() if "lora_" not in name}
    model.train(posts, tmp_path, start, tmp_path / "result", 1, silent)
    assert all(torch.equal(value, frozen[name]) for name, value in model._model.named_parameters() if name in frozen)


def test_the_same_round_twice_gives_the_same_bytes_and_another_round_others(
    posts: list[CleanRecord], start: Path, tmp_path: Path
) -> None:
    model = trainer()
    for name, round_ in (("one", 1), ("two", 2), ("again", 1)):
        model.train(posts, tmp_path, start, tmp_path / name, round_, silent)
    trainer().train(posts, tmp_path, start, tmp_path / "elsewhere", 1, silent)
    one, two, again, elsewhere = ((tmp_path / name).read_bytes() for name in ("one", "two", "again", "elsewhere"))
    assert one == again == elsewhere
    assert one != two


def test_how_a_step_is_cut_into_batches_does_not_change_what_is_learned(
    posts: list[CleanRecord], start: Path, tmp_path: Path
) -> None:
    posts = [post.model_copy(update={"text": post.text * n}) for n, post in enumerate(posts, 1)]  # of unequal length
    for name, batch_size, accumulation in (("whole", 8, 1), ("cut", 3, 3)):
        model = trainer(
            steps=1, batch_size=batch_size, gradient_accumulation=accumulation, lora=Lora(rank=8, alpha=16, dropout=0)
        )
        model.train(posts, tmp_path, start, tmp_path / name, 1, silent)
    whole, cut = files.load(tmp_path / "whole"), files.load(tmp_path / "cut")
    for name in whole:
        assert cut[name] == pytest.approx(whole[name], abs=2e-3)


@pytest.mark.parametrize(
    ("changes", "steps"),
    [
        pytest.param({"steps": None, "batch_size": 3, "gradient_accumulation": 2}, 2, id="8 posts are 3 batches"),
        pytest.param({"steps": None, "epochs": 3, "batch_size": 4, "gradient_accumulation": 2}, 3, id="an epoch is one step"),
        pytest.param({"steps": 5, "batch_size": 4, "gradient_accumulation": 2}, 5, id="so many steps as are asked for"),
        pytest.param({"steps": 1, "batch_size": 2, "gradient_accumulation": 1}, 1, id="posts not seen weigh as much"),
    ],
)
def test_every_step_is_told_and_the_outcome_is_their_mean(
    posts: list[CleanRecord], start: Path, tmp_path: Path, changes: dict[str, Any], steps: int
) -> None:
    told: list[tuple[int, int, float]] = []
    outcome = trainer(**changes).train(posts, tmp_path, start, tmp_path / "result", 1, lambda *now: told.append(now))
    assert [(step, of) for step, of, _ in told] == [(step, steps) for step in range(1, steps + 1)]
    losses = [loss for _, _, loss in told]
    assert min(losses) <= outcome.loss <= max(losses)
    assert outcome.examples == len(posts)


def test_training_that_diverges_fails_with_round_and_step_and_leaves_no_result(
    posts: list[CleanRecord], start: Path, tmp_path: Path
) -> None:
    with pytest.raises(Final, match=r"round 7, step \d of 4.*learningRate below 1e\+30"):
        trainer(learning_rate=1e30).train(posts, tmp_path, start, tmp_path / "result", 7, silent)
    assert not list(tmp_path.glob("result*"))


def test_after_a_failure_the_next_round_is_as_if_nothing_had_been(posts: list[CleanRecord], start: Path, tmp_path: Path) -> None:
    model = trainer()
    model.train(posts, tmp_path, start, tmp_path / "before", 1, silent)
    broken = [posts[0].model_copy(update={"image": "images/missing.jpg"})]
    with pytest.raises(Failed):
        model.train(broken, tmp_path, start, tmp_path / "broken", 1, silent)
    model.train(posts, tmp_path, start, tmp_path / "after", 1, silent)
    assert (tmp_path / "before").read_bytes() == (tmp_path / "after").read_bytes()


def test_an_unreadable_picture_fails_and_tells_nothing_of_the_post_and_its_record_in_the_log_alone(
    posts: list[CleanRecord], start: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    picture = tmp_path / str(posts[0].image)
    picture.write_bytes(b"no picture")
    with pytest.raises(Failed, match="an image of a record cannot be read") as failure:
        trainer().train(posts[:1], tmp_path, start, tmp_path / "result", 1, silent)
    assert posts[0].text not in str(failure.value)
    assert picture.name not in str(failure.value)
    assert posts[0].id not in str(failure.value)
    assert posts[0].id in caplog.text


def test_an_empty_data_set_is_refused(start: Path, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no records"):
        trainer().train([], tmp_path, start, tmp_path / "result", 1, silent)


def test_an_adapter_of_another_rank_is_refused_before_anything_is_trained(
    posts: list[CleanRecord], start: Path, tmp_path: Path
) -> None:
    with pytest.raises(Refused, match=r"lora_A\.weight as \(8, "):
        trainer(lora=Lora(rank=2, alpha=4)).train(posts, tmp_path, start, tmp_path / "result", 1, silent)


def test_the_loss_of_the_base_model_does_not_depend_on_the_batch_size(posts: list[CleanRecord], tmp_path: Path) -> None:
    one, all_at_once = (trainer(batch_size=size).loss(posts, tmp_path, None) for size in (1, 8))
    assert math.isfinite(one)
    assert one == pytest.approx(all_at_once, rel=1e-5)


def test_a_small_rank_trains_at_the_scale_that_it_was_told(posts: list[CleanRecord], tmp_path: Path) -> None:
    """As `Lora.of` gives it to a cluster with a lower rank than the others: alpha / r is theirs."""
    model = trainer(lora=Lora(rank=8, alpha=16, ranks={"small": 2}).of("small"), steps=20)
    start = first_adapter(model, tmp_path / "start")
    model.train(posts, tmp_path, start, tmp_path / "result", 1, silent)
    assert {min(tensor.shape) for tensor in model.layout()} == {2}
    scales = {module.scaling["default"] for module in model._model.modules() if isinstance(module, LoraLayer)}
    assert scales == {16 / 8}
    assert model.loss(posts, tmp_path, tmp_path / "result") < 0.7 * model.loss(posts, tmp_path, start)


def test_ffa_trains_and_writes_lora_b_alone_but_tells_the_whole_layout(
    posts: list[CleanRecord], start: Path, tmp_path: Path
) -> None:
    model = trainer(aggregation=Aggregation(lora="ffa"))
    model.train(posts, tmp_path, start, tmp_path / "result", 1, silent)
    before, after = files.load(start), files.load(tmp_path / "result")
    assert after.keys() == {name for name in before if "lora_B" in name}
    assert all((after[name] != before[name]).any() for name in after)
    assert [tensor.name for tensor in model.layout()] == sorted(before)


def test_fedprox_stays_nearer_to_where_the_round_began_the_stronger_it_pulls(
    posts: list[CleanRecord], start: Path, tmp_path: Path
) -> None:
    def way(mu: float) -> float:
        model = trainer(
            steps=12, aggregation=Aggregation(strategy="fedprox", options={"mu": mu}), lora=Lora(rank=8, alpha=16, dropout=0)
        )
        model.train(posts, tmp_path, start, tmp_path / "result", 1, silent)
        before, after = files.load(start), files.load(tmp_path / "result")
        return math.sqrt(sum(float(((after[name] - before[name]).astype(float) ** 2).sum()) for name in before))

    free, held, bound = way(0), way(1), way(1000)
    assert free > held > bound


def test_the_learning_rate_of_a_round_is_its_part_of_all_rounds(posts: list[CleanRecord], start: Path, tmp_path: Path) -> None:
    """With so little of a linear schedule left, the last of 1000 rounds hardly moves."""
    model = trainer(rounds=1000, schedule="linear", warmup=0)
    moved = []
    for round_ in (1, 1000):
        model.train(posts, tmp_path, start, tmp_path / "result", round_, silent)
        before, after = files.load(start), files.load(tmp_path / "result")
        moved.append(sum(float(abs(after[name] - before[name]).sum()) for name in before))
    assert moved[1] < moved[0] / 100


def test_over_a_bf16_model_the_adapter_is_trained_in_fp32(posts: list[CleanRecord], start: Path, tmp_path: Path) -> None:
    exact, rounded = trainer(), trainer()
    for name, value in rounded._model.named_parameters():
        if "lora_" not in name:
            value.data = value.data.to(torch.bfloat16)
    rounded._passes._dtype = torch.bfloat16
    outcomes = [model.train(posts, tmp_path, start, tmp_path / "result", 1, silent) for model in (exact, rounded)]
    assert {value.dtype for value in rounded._model.parameters() if value.requires_grad} == {torch.float32}
    assert outcomes[1].loss == pytest.approx(outcomes[0].loss, rel=0.02)
    assert rounded.loss(posts, tmp_path, start) == pytest.approx(exact.loss(posts, tmp_path, start), rel=0.02)


def test_a_loss_that_is_no_number_is_a_failure_for_good(posts: list[CleanRecord], start: Path, tmp_path: Path) -> None:
    model = trainer()
    with torch.no_grad():
        model._model.get_output_embeddings().weight[0, 0] = math.nan
    for measured in (start, None):
        with pytest.raises(Final, match=r"the loss .* is nan on 8 posts"):
            model.loss(posts, tmp_path, measured)
    with pytest.raises(Final, match="training diverged in round 1, step 1 of 4"):
        model.train(posts, tmp_path, start, tmp_path / "result", 1, silent)


class GoneError(Exception):
    """Nobody waits any more."""


@pytest.mark.parametrize("work", [Trainer.loss, Trainer.captions])
def test_measuring_and_captions_end_within_a_batch_once_nobody_waits(
    work: Callable[..., object], posts: list[CleanRecord], start: Path, tmp_path: Path
) -> None:
    model, batches = trainer(batch_size=2), list[None]()
    tower = model._model.get_base_model().model.vision_tower  # which sees each batch once, however long its captions are
    tower.register_forward_pre_hook(lambda *_: batches.append(None))

    def gone_after_the_second() -> None:
        if len(batches) == 2:
            raise GoneError

    with pytest.raises(GoneError):
        work(model, posts, tmp_path, start, gone_after_the_second)
    assert len(batches) == 2
    batches.clear()
    work(model, posts, tmp_path, start)
    assert len(batches) == 4
