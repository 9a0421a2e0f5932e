"""Only a caption's tokens and its EOS are supervised, whatever the caption holds and however long it is."""

import json
import shutil
from collections import Counter
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoProcessor, LlamaTokenizer, LlavaImageProcessorPil

from fedspoke.api.errors import Refused
from fedspoke.collaborator.batches import Collator, Example, epochs, in_batches
from fedspoke.collaborator.model import load
from fedspoke.data.records import CleanRecord
from support.tiny import coloured_shapes, record, tiny_llava


@pytest.fixture(scope="module")
def processor() -> Any:
    return AutoProcessor.from_pretrained(tiny_llava(), local_files_only=True)


@pytest.fixture(scope="module")
def pieces() -> models.BPE:
    """A vocabulary as Llama's: words with the space before them, spaces alone, and bytes for what it has never seen."""
    words = Tokenizer(models.BPE(byte_fallback=True))
    words.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    texts = ["USER: ASSISTANT: a red cat", "some    room   between  words: <image>"]
    words.train_from_iterator(texts, trainers.BpeTrainer(special_tokens=special, show_progress=False))
    learned = json.loads(words.to_str())["model"]
    merges = [tuple(merge) for merge in learned["merges"]]
    return models.BPE(vocab=learned["vocab"], merges=merges, byte_fallback=True, fuse_unk=True, unk_token="<unk>")  # noqa: S106  no password


@pytest.fixture(scope="module")
def converted(pieces: models.BPE, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The tiny processor with a tokenizer.json as llava-hf's, which was converted from SentencePiece: also between two special
    tokens it puts a space before a text, and nothing splits a text into words.
    """
    tokenizer = Tokenizer(pieces)
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    special = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "image_token": "<image>", "pad_token": "<pad>"}
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in special.values()])
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)])
    folder = Path(shutil.copytree(tiny_llava(), tmp_path_factory.mktemp("converted") / "model"))
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "LlamaTokenizer", **special}))
    return AutoProcessor.from_pretrained(folder, local_files_only=True)


@pytest.fixture(scope="module")
def rebuilt(processor: Any, pieces: models.BPE) -> Any:
    """The tiny processor with a tokenizer that transformers built of a vocabulary: a space only before the whole text."""
    learned = json.loads(Tokenizer(pieces).to_str())["model"]
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


def album(folder: Path, count: int, text: str = "a red cat") -> CleanRecord:
    """A post with so many photos, each brighter than the one before."""
    names = [f"images/{n:016x}.jpg" for n in range(count)]
    (folder / "images").mkdir(exist_ok=True)
    for n, name in enumerate(names):
        Image.new("RGB", (80, 64), (40 * n + 20,) * 3).save(folder / name)
    return record(text).model_copy(
        update={"image": names[0] if names else None, "images": tuple(names[:count]) if count > 1 else ()}
    )


def supervised(labels: torch.Tensor) -> list[int]:
    found: list[int] = labels[labels >= 0].tolist()
    return found


def test_the_supervised_tokens_are_each_posts_caption_and_one_eos(processor: Any, tmp_path: Path) -> None:
    collator, posts = Collator(processor, 256, images=3), coloured_shapes(tmp_path)
    batch = collator.batch([collator.example(post, tmp_path) for post in posts])
    for post, labels in zip(posts, batch.inputs["labels"], strict=True):
        assert processor.tokenizer.decode(supervised(labels)) == f" {post.text}</s>"
    assert batch.tokens == sum(len(supervised(labels)) for labels in batch.inputs["labels"])


def test_what_the_model_reads_is_prompt_picture_and_caption(processor: Any, tmp_path: Path) -> None:
    collator, posts = Collator(processor, 256, images=3), coloured_shapes(tmp_path)[:1]
    inputs = collator.batch([collator.example(post, tmp_path) for post in posts]).inputs
    assert processor.tokenizer.decode(inputs["input_ids"][0]) == (
        f"<s>USER: {'<image>' * 16}\nWrite the caption this person would post. ASSISTANT: {posts[0].text}</s>"
    )
    assert inputs["pixel_values"].shape == (1, 3, 56, 56)


def test_a_post_without_a_picture_has_a_prompt_without_one(processor: Any, tmp_path: Path) -> None:
    collator = Collator(processor, 256, images=3)
    inputs = collator.batch([collator.example(record("words only"), tmp_path)]).inputs
    assert processor.tokenizer.decode(inputs["input_ids"][0]) == (
        "<s>USER: Write the caption this person would post. ASSISTANT: words only</s>"
    )
    assert "pixel_values" not in inputs


def test_padding_is_neither_read_nor_supervised(processor: Any, tmp_path: Path) -> None:
    collator = Collator(processor, 256, images=3)
    short, long = (collator.example(record(text), tmp_path) for text in ("a", "a much longer caption than the other"))
    alone, padded = collator.batch([short]).inputs, collator.batch([short, long]).inputs
    assert supervised(padded["labels"][0]) == supervised(alone["labels"][0])
    assert padded["attention_mask"][0].sum() == alone["input_ids"].shape[1]


@pytest.mark.parametrize("kind", ["processor", "converted", "rebuilt"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1).map(str.strip).filter(bool))
@example(text="a red cat")
@example(text="été ☕ 日本")
@example(text=": a colon, as the prompt ends with")
@example(text="_▁_  two spaces")
def test_a_caption_tokenised_apart_is_the_caption_as_it_follows_the_prompt(
    kind: str, text: str, request: pytest.FixtureRequest
) -> None:
    processor = request.getfixturevalue(kind)
    if any(mark in text for mark in ("<unk>", "<s>", "</s>", "<image>", "<pad>")):
        return
    collator = Collator(processor, 4096, images=1)
    post = collator.example(record(text), Path())
    prompt = collator.prompts([post])["input_ids"][0].tolist()
    whole = f"USER: Write the caption this person would post. ASSISTANT: {text}</s>"
    assert [*prompt, *post.answer] == processor.tokenizer(whole)["input_ids"]


@pytest.mark.parametrize("kind", ["processor", "converted", "rebuilt"])
def test_the_answer_begins_where_the_prompt_with_images_ends(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    processor, post = request.getfixturevalue(kind), album(tmp_path, 2)
    collator = Collator(processor, 256, images=3)
    inputs = collator.batch([collator.example(post, tmp_path)]).inputs
    images = 2 * f"{'<image>' * 16}\n"
    whole = f"USER: {images}Write the caption this person would post. ASSISTANT: {post.text}</s>"
    assert inputs["input_ids"][0].tolist() == processor.tokenizer(whole)["input_ids"]


@pytest.mark.parametrize("kind", ["processor", "converted", "rebuilt"])
def test_a_caption_cannot_ask_for_a_picture_or_end_the_answer(kind: str, request: pytest.FixtureRequest) -> None:
    processor = request.getfixturevalue(kind)
    collator = Collator(processor, 4096, images=3)
    answer = collator.example(record("see <image> and </s> and <s>"), Path()).answer
    assert answer.count(processor.tokenizer.eos_token_id) == 1
    assert processor.image_token_id not in answer


def test_a_long_caption_is_cut_to_max_length_and_keeps_prompt_and_eos(processor: Any, tmp_path: Path) -> None:
    [post] = [post.model_copy(update={"text": "word " * 400}) for post in coloured_shapes(tmp_path)[:1]]
    collator = Collator(processor, 128, images=3)
    inputs = collator.batch([collator.example(post, tmp_path)]).inputs
    assert inputs["input_ids"].shape == (1, 128)
    assert (inputs["input_ids"] == processor.image_token_id).sum() == 16
    assert supervised(inputs["labels"])[-1] == processor.tokenizer.eos_token_id


def test_a_max_length_that_leaves_no_room_for_a_caption_is_refused_with_the_least_that_does(processor: Any) -> None:
    with pytest.raises(Refused, match=r"training.maxLength is 20, but .* at least \d+ are needed") as refusal:
        Collator(processor, 20, images=3)
    least = int(str(refusal.value).split("at least ")[1].split()[0])
    Collator(processor, least, images=3)
    with pytest.raises(Refused):
        Collator(processor, least - 1, images=3)


def test_a_tokenizer_that_cannot_end_an_answer_is_refused(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_llava(), tmp_path / "model"))
    (folder / "tokenizer_config.json").unlink()
    with pytest.raises(Refused, match="no eos_token"):
        Collator(AutoProcessor.from_pretrained(folder, local_files_only=True), 256, images=3)


@pytest.mark.parametrize("size", [(160, 40), (40, 160), (161, 40), (64, 64), (1, 90)])
def test_a_photo_reaches_the_model_whole_in_a_square_as_transformers_pads_it_for_llava(
    processor: Any, size: tuple[int, int], tmp_path: Path
) -> None:
    post = record("wide or high", Image.effect_noise(size, 200).convert("RGB"), tmp_path)
    collator = Collator(processor, 256, images=3)
    examples = [collator.example(post, tmp_path)]
    padding = LlavaImageProcessorPil(do_pad=True, size={"shortest_edge": 56}, crop_size={"height": 56, "width": 56})
    with Image.open(tmp_path / str(post.image)) as picture:
        expected = padding(images=[picture.convert("RGB")], return_tensors="pt")["pixel_values"]
    for inputs in (collator.batch(examples).inputs, collator.prompts(examples)):
        torch.testing.assert_close(inputs["pixel_values"], expected)


def test_the_edges_of_a_wide_photo_are_seen_and_what_is_added_is_neutral(processor: Any, tmp_path: Path) -> None:
    picture = Image.new("RGB", (224, 56), (0, 0, 0))
    picture.paste((255, 255, 255), (0, 0, 16, 56))  # which a square cut out of the middle would not have
    collator = Collator(processor, 256, images=3)
    example = collator.example(record("white at the left", picture, tmp_path), tmp_path)
    [pixels] = collator.batch([example]).inputs["pixel_values"]
    assert pixels[:, 28, 0].min() > 1.5
    assert pixels[:, 28, -1].max() < -1
    assert pixels[:, :16].abs().max() < 0.02


def test_all_images_of_a_post_are_read_in_their_order(processor: Any, tmp_path: Path) -> None:
    collator = Collator(processor, 256, images=3)
    several, one = (collator.example(album(tmp_path, count), tmp_path) for count in (3, 1))
    inputs = collator.batch([several, several]).inputs
    assert (inputs["input_ids"] == processor.image_token_id).sum(1).tolist() == [48, 48]
    assert inputs["pixel_values"].shape == (6, 3, 56, 56)
    assert inputs["pixel_values"][:, 0, 28, 28].diff()[:2].min() > 0, "each is brighter than the one before"
    torch.testing.assert_close(inputs["pixel_values"][3:4], collator.batch([one]).inputs["pixel_values"])


@pytest.mark.parametrize(("most", "max_length", "seen"), [(3, 256, 3), (2, 256, 2), (1, 256, 1), (3, 128, 2), (3, 110, 1)])
def test_a_post_shows_as_many_images_as_training_images_and_its_caption_leave_room_for(
    processor: Any, most: int, max_length: int, seen: int, tmp_path: Path
) -> None:
    post = album(tmp_path, 5, text="word " * 100)
    collator = Collator(processor, max_length, images=most)
    example = collator.example(post, tmp_path)
    assert example.images == tuple(tmp_path / name for name in post.images[:seen])
    assert collator.batch([example]).inputs["input_ids"].shape[1] <= max_length


def test_a_short_caption_leaves_room_for_more_images(processor: Any, tmp_path: Path) -> None:
    collator = Collator(processor, 110, images=3)
    assert len(collator.example(album(tmp_path, 3, text="hi"), tmp_path).images) == 3


@pytest.mark.parametrize("count", [0, 1, 2])
def test_the_loss_over_the_answers_logits_is_that_over_all_logits(processor: Any, count: int, tmp_path: Path) -> None:
    _, model = load(str(tiny_llava()))
    collator = Collator(processor, 256, images=3)
    posts = [album(tmp_path, count, text=text) for text in ("one", "another, longer than the first")]
    batch = collator.batch([collator.example(post, tmp_path) for post in posts])
    labels = torch.full_like(batch.inputs["input_ids"], -100)
    labels[:, -batch.inputs["labels"].shape[1] :] = batch.inputs["labels"]
    everything = {name: value for name, value in batch.inputs.items() if name != "logits_to_keep"} | {"labels": labels}
    with torch.inference_mode():
        few, all_ = (model.to("cpu")(**inputs, num_items_in_batch=batch.tokens) for inputs in (batch.inputs, everything))
    assert few.logits.shape[1] < all_.logits.shape[1]
    torch.testing.assert_close(few.loss, all_.loss)


POSTS = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 40)), max_size=40)


def examples_of(posts: list[tuple[int, int]]) -> list[Example]:
    """Posts of so many images and of so many tokens."""
    return [
        Example(id=f"{n}", images=(Path("it.jpg"),) * images, answer=(2,) * tokens) for n, (images, tokens) in enumerate(posts)
    ]


@given(posts=POSTS, size=st.integers(1, 4), seed=st.integers(0, 99))
def test_an_epoch_is_every_post_once_in_as_few_batches_of_one_number_of_images_as_there_can_be(
    posts: list[tuple[int, int]], size: int, seed: int
) -> None:
    examples = examples_of(posts)
    plan = epochs(examples, size, torch.Generator().manual_seed(seed))
    for batches in (next(plan), next(plan), in_batches(examples, size)):
        assert sorted(e.id for batch in batches for e in batch) == sorted(e.id for e in examples)
        assert all(len({len(e.images) for e in batch}) == 1 and len(batch) <= size for batch in batches)
        kinds = Counter(images for images, _ in posts)
        assert len(batches) == sum(-(-count // size) for count in kinds.values())


@given(posts=POSTS, size=st.integers(3, 4), seed=st.integers(0, 99))
def test_the_posts_of_a_batch_are_of_about_one_length(posts: list[tuple[int, int]], size: int, seed: int) -> None:
    batches = next(epochs(examples_of(posts), size, torch.Generator().manual_seed(seed)))
    for images in range(4):
        lengths = sorted([len(e.answer) for e in batch] for batch in batches if len(batch[0].images) == images)
        assert list(chain(*lengths)) == sorted(tokens for count, tokens in posts if count == images)


def test_a_seed_decides_the_batches_and_each_epoch_has_its_own() -> None:
    examples = examples_of([(n % 2, n) for n in range(1, 200)])
    first, again, other = (epochs(examples, 2, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    one, two = next(first), next(first)
    assert (one, two) == (next(again), next(again))
    assert one not in (two, next(other))
    assert sorted(map(ids, one)) != sorted(map(ids, two)), "not only their order differs"


def ids(batch: list[Example]) -> list[str]:
    return [example.id for example in batch]
