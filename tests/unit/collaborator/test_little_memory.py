"""What the operating system's refusal of memory comes to; in test_fits.py a hook refuses instead, so that it can choose when."""

from pathlib import Path

import pytest
from transformers import LlavaForConditionalGeneration

from fedspoke.api.errors import Final
from fedspoke.api.training import Lora, Training
from fedspoke.collaborator.model import load
from fedspoke.collaborator.steps import Steps
from fedspoke.collaborator.training import Trainer
from fedspoke.data.records import CleanRecord
from support import limited
from support.collaborator import facebook, settings
from support.tiny import tiny_llava
from support.training import first_adapter, silent


def wide() -> LlavaForConditionalGeneration:
    """The tiny model, but of so many words that it and what it says of a few posts take some hundred MiB."""
    config = load(str(tiny_llava()))[1].config
    config.text_config.vocab_size = 200_000
    return LlavaForConditionalGeneration(config)


def test_training_goes_on_with_fewer_posts_at_once(posts: list[CleanRecord], tmp_path: Path) -> None:
    training = Training(lora=Lora(rank=2), steps=2, batch_size=8)
    trainer = Trainer("wide", training, source=lambda *_: (load(str(tiny_llava()))[0], wide()))
    start = first_adapter(trainer, tmp_path / "start")
    with limited.memory(mib=100):
        trainer.train(posts, tmp_path, start, tmp_path / "result", 1, silent)
    assert trainer._passes.memory.checkpointing
    assert trainer._passes.memory.posts in {1, 2, 4}


def test_a_model_that_does_not_fit_is_told_in_one_sentence(tmp_path: Path) -> None:
    model = tmp_path / "model"
    wide().save_pretrained(model)
    load(str(tiny_llava()))[0].save_pretrained(model)
    told = settings(tmp_path, {"facebook": facebook(tmp_path / "f", 4)})
    training = told.training.model_copy(update={"model": told.training.model.model_copy(update={"name": str(model)})})
    steps = Steps(told.model_copy(update={"training": training}))
    with limited.memory(mib=30), pytest.raises(Final) as failure:
        steps.download_model()
    assert str(failure.value).startswith("the memory does not suffice to load the model: this machine has ")
    assert "training.quantization nf4" in str(failure.value)
    steps.download_model()  # once there is memory
