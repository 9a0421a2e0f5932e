"""Quantised is the language model, and nothing else; what is trained on it learns as on the whole one."""

from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch

from fedspoke.api.errors import Refused
from fedspoke.api.federated_learning import Lora, Training
from fedspoke.collaborator import quantization as quantizations
from fedspoke.collaborator.model import load
from fedspoke.collaborator.quantization import Quantization
from fedspoke.collaborator.training import Trainer
from support import adapters as files
from support.tiny import coloured_shapes, tiny_llava

QUANTIZED = ["int8", "nf4"]


@pytest.mark.parametrize(("quantization", "kind"), [("none", "Linear"), ("int8", "Linear8bitLt"), ("nf4", "Linear4bit")])
def test_only_the_language_models_linear_layers_are_quantised(quantization: Quantization, kind: str) -> None:
    _, model = load(str(tiny_llava()), quantization)
    layers = {name: type(layer).__name__ for name, layer in model.named_modules() if isinstance(layer, torch.nn.Linear)}
    inside = {name for name in layers if name.startswith("model.language_model.")}
    assert len(inside) == 2 * 7
    assert {layers[name] for name in inside} == {kind}
    outside = layers.keys() - inside
    assert {"lm_head", "model.multi_modal_projector.linear_1"} < outside
    assert any(name.startswith("model.vision_tower.") for name in outside)
    assert {layers[name] for name in outside} == {"Linear"}


@pytest.mark.parametrize("quantization", QUANTIZED)
def test_a_quantised_model_computes_about_what_the_whole_one_does(quantization: Quantization) -> None:
    inputs = {"input_ids": torch.arange(20, 60)[None]}
    with torch.inference_mode():
        whole, fewer = (load(str(tiny_llava()), bits)[1](**inputs).logits for bits in ("none", quantization))
    assert 0 < (fewer - whole).norm() < 0.3 * whole.norm()


@pytest.mark.parametrize("quantization", QUANTIZED)
def test_a_layer_that_is_quantised_otherwise_than_asked_is_refused_by_name(quantization: Quantization) -> None:
    _, model = load(str(tiny_llava()), quantization)
    with pytest.raises(Refused, match=rf"layer model.language_model\S+ is {quantization}, where .* none means none"):
        quantizations.check(model, "none")
    _, whole = load(str(tiny_llava()))
    with pytest.raises(Refused, match=rf"layer model.language_model\S+ is none, where .* means {quantization}"):
        quantizations.check(whole, quantization)
    model.lm_head = deepcopy(model.model.language_model.layers[0].mlp.up_proj)
    with pytest.raises(Refused, match=f"layer lm_head is {quantization}, where .* means none"):
        quantizations.check(model, quantization)


@pytest.mark.parametrize("quantization", QUANTIZED)
def test_a_folder_that_holds_quantised_weights_is_refused_where_none_was_asked_for(
    quantization: Quantization, tmp_path: Path
) -> None:
    processor, model = load(str(tiny_llava()), quantization)
    for part in (model, processor):
        part.save_pretrained(tmp_path)
    with pytest.raises(Refused, match=f"is {quantization}, where training.quantization none means none"):
        load(str(tmp_path))


@pytest.mark.parametrize("quantization", QUANTIZED)
def test_a_device_that_bitsandbytes_does_not_run_on_is_named(quantization: Quantization) -> None:
    with pytest.raises(Refused, match=rf"quantization is {quantization}, but .* not run on mps here \(.+\); use none"):
        quantizations.arguments(quantization, torch.device("mps"), torch.float32)


@pytest.mark.parametrize("quantization", QUANTIZED)
def test_an_adapter_learns_over_a_quantised_model_that_was_measured_before(quantization: Quantization, tmp_path: Path) -> None:
    posts = coloured_shapes(tmp_path)
    lora = Lora(rank=8, alpha=16)
    model = Trainer(
        str(tiny_llava()),
        Training(quantization=quantization, lora=lora, steps=12, learning_rate=4e-3, batch_size=4, gradient_accumulation=1),
    )
    drawn = files.drawn(model.layout(), seed=0)
    start = files.save(
        {name: value / np.float16(4) if "lora_A" in name else np.zeros_like(value) for name, value in drawn.items()},
        tmp_path / "start",
    )
    before = model.loss(posts, tmp_path, None)
    model.train(posts, tmp_path, start, tmp_path / "result", 1, lambda *_: None)
    assert model.loss(posts, tmp_path, start) == pytest.approx(before, rel=1e-4), "the frozen weights are as they were"
    assert model.loss(posts, tmp_path, tmp_path / "result") < 0.6 * before
