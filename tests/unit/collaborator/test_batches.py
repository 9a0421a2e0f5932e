"""Only a caption's tokens and its EOS are supervised, whatever the caption holds and however long it is."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import AutoProcessor, LlamaTokenizer

from fedspoke.api.errors import Refused
from fedspoke.collaborator.batches import Collator, Example, epochs, in_batches
from support.tiny import coloured_shapes, record, tiny_llava


@pytest.fixture(scope="module")
def processor() -> Any:
    return AutoProcessor.from_pretrained(tiny_llava(), local_files_only=True)


@pytest.fixture(scope="module")
def sentencepiece(processor: Any) -> Any:
    """The tiny processor with a tokenizer of the real model's kind, which puts a space before a text."""
    words = Tokenizer(models.BPE(byte_fallback=True))
    words.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<unk>", "<s>", "</s>", "<image>", *(f"<0x{byte:02X}>" for byte in range(256))]
    words.train_from_iterator(["USER: ASSISTANT: a red cat"], trainers.BpeTrainer(special_tokens=special, show_progress=False))
    learned = json.loads(words.to_str())["model"]
    tokenizer = LlamaTokenizer(
        vocab=learned["vocab"],
        merges=[tuple(merge) for merge in learned["merges"]],
        extra_special_tokens={"image_token": "<image>"},
    )
    return type(processor)(
        image_processor=processor.image_processor,
        tokenizer=tokenizer,
        patch_size=processor.patch_size,
        vision_feature_select_strategy=processor.vision_feature_select_strategy,
        num_additional_image_tokens=processor.num_additional_image_tokens,
        chat_template=processor.chat_template,
    )


def supervised(labels: torch.Tensor) -> list[int]:
    found: list[int] = labels[labels >= 0].tolist()
    return found


def test_the_supervised_tokens_are_each_posts_caption_and_one_eos(processor: Any, tmp_path: Path) -> None:
    collator, posts = Collator(processor, 256), coloured_shapes(tmp_path)
    batch = collator.batch([collator.example(post, tmp_path) for post in posts])
    for post, labels in zip(posts, batch.inputs["labels"], strict=True):
        assert processor.tokenizer.decode(supervised(labels)) == f" {post.text}</s>"
    assert batch.tokens == sum(len(supervised(labels)) for labels in batch.inputs["labels"])


def test_what_the_model_reads_is_prompt_picture_and_caption(processor: Any, tmp_path: Path) -> None:
    collator, posts = Collator(processor, 256), coloured_shapes(tmp_path)[:1]
    inputs = collator.batch([collator.example(post, tmp_path) for post in posts]).inputs
    assert processor.tokenizer.decode(inputs["input_ids"][0]) == (
        f"<s>USER: {'<image>' * 16}\nWrite the caption this person would post. ASSISTANT: {posts[0].text}</s>"
    )
    assert inputs["pixel_values"].shape == (1, 3, 56, 56)


def test_a_post_without_a_picture_has_a_prompt_without_one(processor: Any, tmp_path: Path) -> None:
    collator = Collator(processor, 256)
    inputs = collator.batch([collator.example(record("words only"), tmp_path)]).inputs
    assert processor.tokenizer.decode(inputs["input_ids"][0]) == (
        "<s>USER: Write the caption this person would post. ASSISTANT: words only</s>"
    )
    assert "pixel_values" not in inputs


def test_padding_is_neither_read_nor_supervised(processor: Any, tmp_path: Path) -> None:
    collator = Collator(processor, 256)
    short, long = (collator.example(record(text), tmp_path) for text in ("a", "a much longer caption than the other"))
    alone, padded = collator.batch([short]).inputs, collator.batch([short, long]).inputs
    assert supervised(padded["labels"][0]) == supervised(alone["labels"][0])
    assert padded["attention_mask"][0].sum() == alone["input_ids"].shape[1]


@pytest.mark.parametrize("kind", ["processor", "sentencepiece"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1).map(str.strip).filter(bool))
@example(text="a red cat")
@example(text="été ☕ 日本")
def test_a_caption_tokenised_apart_is_the_caption_as_it_follows_the_prompt(
    kind: str, text: str, request: pytest.FixtureRequest
) -> None:
    processor = request.getfixturevalue(kind)
    if any(mark in text for mark in ("<unk>", "<s>", "</s>", "<image>", "<pad>")):
        return
    collator = Collator(processor, 4096)
    inputs = collator.batch([collator.example(record(text), Path())]).inputs
    prompt = "USER: Write the caption this person would post. ASSISTANT:"
    assert inputs["input_ids"][0].tolist() == processor.tokenizer(f"{prompt} {text}</s>")["input_ids"]


@pytest.mark.parametrize("kind", ["processor", "sentencepiece"])
def test_a_caption_cannot_ask_for_a_picture_or_end_the_answer(kind: str, request: pytest.FixtureRequest) -> None:
    processor = request.getfixturevalue(kind)
    collator = Collator(processor, 4096)
    answer = collator.example(record("see <image> and </s> and <s>"), Path()).answer
    assert answer.count(processor.tokenizer.eos_token_id) == 1
    assert processor.image_token_id not in answer


def test_a_long_caption_is_cut_to_max_length_and_keeps_prompt_and_eos(processor: Any, tmp_path: Path) -> None:
    [post] = [post.model_copy(update={"text": "word " * 400}) for post in coloured_shapes(tmp_path)[:1]]
    collator = Collator(processor, 128)
    inputs = collator.batch([collator.example(post, tmp_path)]).inputs
    assert inputs["input_ids"].shape == (1, 128)
    assert (inputs["input_ids"] == processor.image_token_id).sum() == 16
    assert supervised(inputs["labels"])[-1] == processor.tokenizer.eos_token_id


def test_a_max_length_that_leaves_no_room_for_a_caption_is_refused_with_the_least_that_does(processor: Any) -> None:
    with pytest.raises(Refused, match=r"training.maxLength is 20, but .* at least \d+ are needed") as refusal:
        Collator(processor, 20)
    least = int(str(refusal.value).split("at least ")[1].split()[0])
    Collator(processor, least)
    with pytest.raises(Refused):
        Collator(processor, least - 1)


def test_a_tokenizer_that_cannot_end_an_answer_is_refused(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_llava(), tmp_path / "model"))
    (folder / "tokenizer_config.json").unlink()
    with pytest.raises(Refused, match="no eos_token"):
        Collator(AutoProcessor.from_pretrained(folder, local_files_only=True), 256)


@given(with_picture=st.integers(0, 9), without=st.integers(0, 9), size=st.integers(1, 4), seed=st.integers(0, 99))
def test_an_epoch_is_every_post_once_in_batches_of_one_kind(with_picture: int, without: int, size: int, seed: int) -> None:
    examples = [
        Example(id=f"{n}", image=Path("it.jpg") if n < with_picture else None, answer=(2,)) for n in range(with_picture + without)
    ]
    plan = epochs(examples, size, torch.Generator().manual_seed(seed))
    for batches in (next(plan), next(plan), in_batches(examples, size)):
        assert sorted(e.id for batch in batches for e in batch) == sorted(e.id for e in examples)
        assert all(len({e.image is None for e in batch}) == 1 and len(batch) <= size for batch in batches)
        assert len(batches) == -(-with_picture // size) + -(-without // size)
