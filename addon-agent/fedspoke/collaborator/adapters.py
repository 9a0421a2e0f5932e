"""The adapter between model and file: fp16 safetensors under PEFT's names, the form in which it crosses the wire.

numpy has no bf16, and fp16 rounds an adapter by 2e-4 of its norm, which is far below what one optimiser step changes.
"""

from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
import torch
from peft import PeftModel, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors import SafetensorError

from fedspoke.api import files
from fedspoke.api.errors import Final, Refused
from fedspoke.api.records import Tensor


def layout(model: PeftModel) -> tuple[Tensor, ...]:
    """Which tensors the model's adapter has, sorted by name."""
    return tuple(Tensor(name=name, shape=tuple(value.shape)) for name, value in sorted(_state(model).items()))


def learned(model: PeftModel) -> dict[str, torch.nn.Parameter]:
    """What training changes, under the names that it has in files, sorted: all of the adapter, or of ffa's lora_B alone."""
    found = {name.replace(".default.", "."): value for name, value in model.named_parameters() if value.requires_grad}
    return dict(sorted(found.items()))


def read(path: Path) -> dict[str, torch.Tensor]:
    """What an adapter's file holds.

    Raises:
        Refused: it is no safetensors file.
    """
    try:
        tensors: dict[str, torch.Tensor] = safetensors.torch.load_file(path)
    except (SafetensorError, OSError) as error:
        raise Refused(f"the adapter {path} cannot be read: {error}") from error
    return tensors


def save(tensors: Mapping[str, torch.Tensor], path: Path) -> None:
    """Write an adapter, or the part of one that crosses the wire.

    Raises:
        Final: a value is not finite, or too large for fp16.
    """
    rounded = {name: value.detach().to("cpu", torch.float16).contiguous() for name, value in sorted(tensors.items())}
    for name, value in rounded.items():
        if not value.isfinite().all():
            raise Final(f"training diverged: {name} has values that fp16 cannot hold; try a lower training.learningRate")
    files.replace(path, safetensors.torch.save(rounded))


def load(model: PeftModel, path: Path) -> None:
    """Give the model the adapter in the file, whole or not at all.

    Raises:
        Refused: the file is no safetensors file, or names, shapes or values that do not fit the model.
    """
    tensors = read(path)
    expected = {tensor.name: tensor.shape for tensor in layout(model)}
    for name in sorted(expected.keys() | tensors.keys()):
        if name not in expected:
            raise Refused(f"the adapter {path} holds {name}, which this model's adapter does not have")
        if name not in tensors:
            raise Refused(f"the adapter {path} lacks {name}")
        if tuple(tensors[name].shape) != expected[name]:
            raise Refused(f"the adapter {path} has {name} as {tuple(tensors[name].shape)}; this model takes {expected[name]}")
        if not tensors[name].isfinite().all():
            raise Refused(f"the adapter {path} has values in {name} that are not finite")
    set_peft_model_state_dict(model, tensors)


def _state(model: PeftModel) -> dict[str, torch.Tensor]:
    # "auto" would ask a model hub whether the base model's vocabulary has grown.
    state: dict[str, torch.Tensor] = get_peft_model_state_dict(model, save_embedding_layers=False)
    return state
