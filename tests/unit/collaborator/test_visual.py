from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from PIL import Image

from fedspoke.api.errors import Failed, Final
from fedspoke.api.training import Lora, Training
from fedspoke.collaborator import adapters
from fedspoke.collaborator.batches import Collator
from fedspoke.collaborator.model import load
from fedspoke.collaborator.training import Trainer
from fedspoke.collaborator.visual import Tower
from fedspoke.data.records import CleanRecord
from support.tiny import coloured_shapes, record, tiny_llava


def loaded() -> tuple[Any, Any]:
    """The tiny model's image processor and its frozen tower."""
    processor, model = load(str(tiny_llava()))
    return processor.image_processor, model.model.vision_tower.requires_grad_(requires_grad=False)


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    return [tmp_path / str(post.image) for post in coloured_shapes(tmp_path)]


def test_a_post_is_a_direction_and_one_without_photos_is_none(photos: list[Path]) -> None:
    vectors = Tower(*loaded())([photos[:1], [], photos[:3]])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), [1, 0, 1], atol=1e-6)


def test_a_post_with_several_photos_is_their_mean(photos: list[Path]) -> None:
    tower = Tower(*loaded())
    one, other, both = tower([photos[:1], photos[5:6], [photos[0], photos[5]]])
    np.testing.assert_allclose(both, (one + other) / np.linalg.norm(one + other), atol=1e-6)


def test_it_sees_whole_photos_as_training_shows_them_to_the_model(tmp_path: Path) -> None:
    photo = Image.new("RGB", (224, 56), (0, 0, 0))
    photo.paste((255, 255, 255), (0, 0, 16, 56))  # which a square cut out of the middle would not have
    post = record("white at the left", photo, tmp_path)
    collator = Collator(load(str(tiny_llava()))[0], max_length=64, images=1)
    processor, tower = loaded()

    trained_on = collator.batch([collator.example(post, tmp_path)]).inputs["pixel_values"]
    with torch.inference_mode():
        pooled = tower(trained_on).pooler_output[0].numpy()
    seen = Tower(processor, tower)([[tmp_path / str(post.image)]])[0]
    np.testing.assert_allclose(seen, pooled / np.linalg.norm(pooled), atol=1e-6)


def test_many_photos_are_seen_at_once_and_fewer_where_memory_is_short(photos: list[Path]) -> None:
    processor, tower = loaded()
    posts = [photos[:3], [], *([photo] for photo in photos)] * 4  # 44 photos
    expected = np.concatenate([Tower(processor, tower)([post]) for post in posts])
    at_once: list[int] = []

    def device(module: torch.nn.Module, inputs: tuple[torch.Tensor]) -> None:
        at_once.append(len(inputs[0]))
        if at_once[-1] > 8:
            raise torch.OutOfMemoryError("CUDA out of memory")

    tower.register_forward_pre_hook(device)
    np.testing.assert_allclose(Tower(processor, tower)(posts), expected, atol=1e-6)
    assert at_once == [32, 16, 8, 8, 8, 8, 8, 4]


def test_a_photo_that_does_not_fit_is_told_in_a_sentence(photos: list[Path]) -> None:
    processor, tower = loaded()

    def full(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    tower.register_forward_pre_hook(full)
    with pytest.raises(Final, match="the memory does not suffice to see photos, one at a time: "):
        Tower(processor, tower)([photos[:1]])


def test_training_changes_nothing_of_it(tmp_path: Path) -> None:
    posts: list[CleanRecord] = coloured_shapes(tmp_path)
    photos = [[tmp_path / str(post.image)] for post in posts]
    trainer = Trainer(str(tiny_llava()), Training(lora=Lora(rank=2), steps=2, learning_rate=1e-2))
    before, digest = trainer.tower()(photos), trainer.tower().digest
    start, result = tmp_path / "start.safetensors", tmp_path / "result.safetensors"

    adapters.save(adapters.learned(trainer._model), start)
    trainer.train(posts, tmp_path, start, result, 1, lambda step, steps, loss: None)
    np.testing.assert_array_equal(trainer.tower()(photos), before)
    assert trainer.tower().digest == digest


def test_a_tower_that_is_trained_is_none_of_ours() -> None:
    processor, tower = loaded()
    with pytest.raises(RuntimeError, match=r"is to stay as it was loaded, but .*lora_"):
        Tower(processor, get_peft_model(tower, LoraConfig(target_modules=["q_proj"])))


def test_a_tower_is_known_by_weights_architecture_and_preparation_whatever_its_precision() -> None:
    processor, tower = loaded()
    digest = Tower(processor, tower).digest
    assert Tower(*loaded()).digest == digest
    assert Tower(processor, tower.to(torch.bfloat16)).digest == digest
    processor.size = {"shortest_edge": 28}
    assert Tower(processor, tower).digest != digest
    processor, tower = loaded()
    next(tower.parameters())[0] += 1
    assert Tower(processor, tower).digest != digest


def test_a_photo_that_cannot_be_read_is_a_failure_without_its_name(tmp_path: Path) -> None:
    (tmp_path / "secret.jpg").write_bytes(b"no photo")
    with pytest.raises(Failed, match="cannot be read") as failure:
        Tower(*loaded())([[tmp_path / "secret.jpg"]])
    assert "secret" not in str(failure.value)
