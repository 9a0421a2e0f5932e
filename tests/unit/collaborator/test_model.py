"""A model is found by path or name, is a whole LLaVA, and appears in a folder whole or not at all."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import constants
from PIL import Image
from transformers import LlavaForConditionalGeneration, LlavaProcessor

from fedspoke.api.errors import Failed, Refused
from fedspoke.collaborator.model import load, make_tiny, recompute_activations
from fedspoke.collaborator.model_folder import download, find
from support.closed import CLOSED
from support.model_hub import model_hub
from support.tiny import tiny_llava

NAME = "acme/tiny-llava"


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What a hub that has the tiny model is asked for; its cache is this test's own."""
    with model_hub(NAME, tiny_llava()) as (url, paths):
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "ENDPOINT", url)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url + "/{repo_id}/resolve/{revision}/{filename}")
        yield paths


@pytest.fixture
def nothing_reachable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")  # the discard port: nobody listens


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_llava(), tmp_path / "model"))


def edit_config(model: Path, change: Callable[[dict[str, Any]], None]) -> None:
    config = json.loads((model / "config.json").read_text())
    change(config)
    (model / "config.json").write_text(json.dumps(config))


def test_the_tiny_model_loads_as_what_the_real_one_is() -> None:
    processor, model = load(str(tiny_llava()))
    assert isinstance(processor, LlavaProcessor)
    assert isinstance(model, LlavaForConditionalGeneration)
    assert sum(parameter.numel() for parameter in model.parameters()) < 300_000


def test_the_tiny_model_writes_about_a_picture() -> None:
    processor, model = load(str(tiny_llava()))
    inputs = processor(images=[Image.new("RGB", (90, 40))], text=["USER: <image>\nWhat? ASSISTANT:"], return_tensors="pt")
    with torch.no_grad():
        answer = model.to("cpu").generate(**inputs, max_new_tokens=3, do_sample=False)
    assert answer.shape[1] > inputs["input_ids"].shape[1]


@pytest.mark.parametrize("text", ["a cat", "héllo 日本 ☕", "line\nline", "\U0001f468‍\U0001f469‍\U0001f467"])
def test_the_tiny_models_tokenizer_gives_back_every_text(text: str) -> None:
    tokenizer = load(str(tiny_llava()))[0].tokenizer
    assert tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"]) == text


def test_a_seed_decides_every_byte_of_a_tiny_model(tmp_path: Path) -> None:
    for name, seed in (("one", 1), ("again", 1), ("two", 2)):
        make_tiny(tmp_path / name, seed)
    assert files(tmp_path / "one") == files(tmp_path / "again")
    assert files(tmp_path / "one")["model.safetensors"] != files(tmp_path / "two")["model.safetensors"]


def test_making_a_model_leaves_the_callers_random_numbers_alone(tmp_path: Path) -> None:
    before = torch.get_rng_state()
    make_tiny(tmp_path / "tiny")
    assert torch.equal(torch.get_rng_state(), before)


def test_a_folder_that_holds_something_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(Refused, match="mine exists and is not empty"):
        make_tiny(tmp_path / "mine")
    with pytest.raises(Refused, match="mine exists and is not empty"):
        download(str(tiny_llava()), tmp_path / "mine")
    assert files(tmp_path / "mine") == {"letter.txt": b"dear"}


def test_an_empty_folder_is_filled_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    make_tiny(tmp_path / "empty")
    assert (tmp_path / "empty" / "model.safetensors").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Refused, match="cannot be made: Not a directory"):
        make_tiny(tmp_path / "file" / "model")


def test_a_model_is_copied_by_path(tmp_path: Path) -> None:
    download(str(tiny_llava()), tmp_path / "copy")
    assert files(tmp_path / "copy") == files(tiny_llava())


@pytest.mark.usefixtures("asked")
def test_a_model_is_downloaded_by_name_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    download(NAME, tmp_path / "new" / "copy")
    assert files(tmp_path / "new" / "copy") == files(tiny_llava())
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["copy"]


def test_a_model_that_is_named_is_fetched_once_and_then_loaded_from_the_cache(
    asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = load(NAME)[1].lm_head.weight
    assert [path for path in asked if path.endswith("config.json")]
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert torch.equal(load(NAME)[1].lm_head.weight, weights)


@pytest.mark.usefixtures("asked")
def test_a_name_that_the_hub_does_not_know_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="knows no acme/other"):
        download("acme/other", tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


@pytest.mark.usefixtures("nothing_reachable")
def test_a_hub_that_cannot_be_reached_is_a_failure_that_names_the_model(tmp_path: Path) -> None:
    with pytest.raises(Failed, match=f"{NAME} is not on this machine and the model hub cannot be reached"):
        download(NAME, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


@pytest.mark.usefixtures("asked")
def test_a_volume_that_cannot_be_written_to_is_named_as_what_is_wrong() -> None:
    with pytest.raises(Failed, match=rf"{NAME} cannot be kept in {CLOSED}: .*; on a cluster, the volume of training.model.claim"):
        find(NAME, CLOSED)


def test_a_path_is_never_looked_up_on_a_network(asked: list[str], tmp_path: Path) -> None:
    load(str(tiny_llava()))
    download(str(tiny_llava()), tmp_path / "copy")
    for path in (str(tmp_path / "missing"), "./missing"):
        with pytest.raises(Refused, match="there is no folder"):
            load(path)
    assert asked == []


def test_what_is_neither_a_path_nor_a_name_is_refused() -> None:
    with pytest.raises(Refused, match="neither a folder nor a model's name"):
        load("a b c")


def test_another_kind_of_model_is_refused_by_its_kind(model: Path, tmp_path: Path) -> None:
    edit_config(model, lambda config: config.update(model_type="bert"))
    with pytest.raises(Refused, match="is a model of type bert"):
        load(str(model))
    with pytest.raises(Refused, match="is a model of type bert"):
        download(str(model), tmp_path / "copy")


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="is no model"):
        load(str(tmp_path))


@pytest.mark.parametrize("left", [100, 0])
@pytest.mark.parametrize("file", ["model.safetensors", "tokenizer.json", "processor_config.json"])
def test_a_file_that_is_cut_off_is_refused_in_one_sentence(model: Path, file: str, left: int) -> None:
    (model / file).write_bytes((model / file).read_bytes()[:left])
    with pytest.raises(Refused, match=r"^the model .* cannot be loaded: .+$"):
        load(str(model))


def test_weights_that_are_missing_are_refused_and_not_drawn_at_random(model: Path) -> None:
    edit_config(model, lambda config: config["text_config"].update(num_hidden_layers=3))
    with pytest.raises(Refused, match=r"lacks weights, among them .*layers\.2"):
        load(str(model))


def test_activations_are_kept_until_memory_is_short() -> None:
    _, model = load(str(tiny_llava()))
    layers = model.model.language_model.layers
    assert not any(layer.gradient_checkpointing for layer in layers)
    recompute_activations(model)
    assert all(layer.gradient_checkpointing for layer in layers)


class TestAModelFromTheHub:
    @staticmethod
    def weights(cache: Path) -> Path:
        (found,) = cache.glob("models--*/snapshots/*/model.safetensors")
        return found.resolve()

    def test_that_was_damaged_on_its_way_is_said_and_fetched_anew(self, tmp_path: Path, asked: list[str]) -> None:
        find(NAME, tmp_path / "cache")
        weights = self.weights(tmp_path / "cache")
        whole = weights.read_bytes()
        weights.write_bytes(bytes(len(whole)))
        with pytest.raises(Failed, match="is not what the model hub says"):
            find(NAME, tmp_path / "cache")
        find(NAME, tmp_path / "cache")
        assert self.weights(tmp_path / "cache").read_bytes() == whole

    def test_is_checked_once(self, tmp_path: Path, asked: list[str]) -> None:
        find(NAME, tmp_path / "cache")
        weights = self.weights(tmp_path / "cache")
        before = weights.stat()
        weights.write_bytes(bytes(before.st_size))
        os.utime(weights, ns=(before.st_atime_ns, before.st_mtime_ns))
        find(NAME, tmp_path / "cache")  # nobody could tell without reading it

    def test_is_whole_where_two_want_it_at_once(self, tmp_path: Path, asked: list[str]) -> None:
        with ThreadPoolExecutor(2) as two:
            folders = list(two.map(lambda _: find(NAME, tmp_path / "cache"), range(2)))
        assert folders[0] == folders[1]
        assert load(str(folders[0]))
