"""An adapter between model and file loses no more than fp16 takes, and never half arrives."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file

from fedspoke.api.adapter import CONFIG_FILE, WEIGHTS_FILE, peft_config
from fedspoke.api.errors import Failed, Refused
from fedspoke.api.federated_learning import Lora, Training
from fedspoke.collaborator import adapters
from fedspoke.collaborator.model import load
from fedspoke.collaborator.training import Trainer
from support import adapters as files
from support.tiny import tiny_llava

LORA = Lora(rank=4, alpha=8)
Tensors = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def model() -> PeftModel:
    return Trainer(str(tiny_llava()), Training(lora=LORA))._model


@pytest.fixture
def adapter(model: PeftModel, tmp_path: Path) -> Path:
    return files.save(files.drawn(adapters.layout(model), seed=1), tmp_path / "adapter")


def logits(model: torch.nn.Module) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model(input_ids=torch.arange(300, 312)[None]).logits
    return found


def test_a_file_comes_back_bit_for_bit(model: PeftModel, adapter: Path, tmp_path: Path) -> None:
    adapters.load(model, adapter)
    adapters.save(adapters.learned(model), tmp_path / "again")
    before, after = load_file(adapter), load_file(tmp_path / "again")
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert {value.dtype for value in after.values()} == {torch.float16}


def test_fp16_rounds_by_less_than_a_thousandth(model: PeftModel, adapter: Path, tmp_path: Path) -> None:
    adapters.load(model, adapter)
    factors = {name: value for name, value in model.named_parameters() if value.requires_grad}
    with torch.no_grad():
        for value in factors.values():
            value.mul_(0.3137)  # no longer what fp16 can hold
    exact = {name.replace(".default", ""): value.detach().clone() for name, value in factors.items()}
    adapters.save(adapters.learned(model), tmp_path / "rounded")
    rounded = load_file(tmp_path / "rounded")
    errors = [float((exact[name] - rounded[name].float()).norm() / exact[name].norm()) for name in exact]
    assert 0 < max(errors) < 1e-3


def test_a_saved_adapter_is_a_folder_that_peft_loads(model: PeftModel, adapter: Path, tmp_path: Path) -> None:
    adapters.load(model, adapter)
    folder = tmp_path / "global"
    folder.mkdir()
    adapters.save(adapters.learned(model), folder / WEIGHTS_FILE)
    (folder / CONFIG_FILE).write_text(json.dumps(peft_config(LORA, str(tiny_llava()))))
    _, base = load(str(tiny_llava()))
    untrained = logits(base)
    loaded = PeftModel.from_pretrained(base, folder).eval()
    found = loaded.load_adapter(folder, "default")
    assert not found.unexpected_keys
    assert not [name for name in found.missing_keys if "lora" in name]
    assert torch.equal(logits(loaded), logits(model))
    assert not torch.equal(logits(loaded), untrained)


def without(tensors: Tensors, name: str) -> None:
    del tensors[name]


def with_another(tensors: Tensors, name: str) -> None:
    tensors["elsewhere"] = tensors[name].clone()


def transposed(tensors: Tensors, name: str) -> None:
    tensors[name] = tensors[name].T.contiguous()


def infinite(tensors: Tensors, name: str) -> None:
    tensors[name][0, 0] = float("inf")


@pytest.mark.parametrize(
    ("damage", "says"),
    [(without, "lacks {}"), (with_another, "holds elsewhere"), (transposed, "has {} as"), (infinite, "values in {}")],
)
def test_a_file_of_another_layout_is_refused_by_its_tensor_and_changes_nothing(
    model: PeftModel, adapter: Path, damage: Callable[[Tensors, str], None], says: str
) -> None:
    adapters.load(model, adapter)
    before = logits(model)
    tensors = load_file(adapter)
    name = sorted(tensors)[3]
    for value in tensors.values():
        value.zero_()
    damage(tensors, name)
    save_file(tensors, adapter)
    with pytest.raises(Refused, match=says.format(name.replace(".", r"\."))):
        adapters.load(model, adapter)
    assert torch.equal(logits(model), before)


def test_a_file_that_is_no_safetensors_file_is_refused(model: PeftModel, tmp_path: Path) -> None:
    (tmp_path / "adapter").write_bytes(b"half an upload")
    with pytest.raises(Refused, match="cannot be read"):
        adapters.load(model, tmp_path / "adapter")


def test_what_fp16_cannot_hold_is_not_saved(model: PeftModel, adapter: Path, tmp_path: Path) -> None:
    adapters.load(model, adapter)
    name, value = next((name, value) for name, value in model.named_parameters() if value.requires_grad)
    with torch.no_grad():
        value[0, 0] = 1e6
    with pytest.raises(Failed, match=name.replace(".default", "").replace(".", r"\.")):
        adapters.save(adapters.learned(model), tmp_path / "result")
    assert not list(tmp_path.glob("result*"))
