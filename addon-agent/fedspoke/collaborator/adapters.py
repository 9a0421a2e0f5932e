"""The adapter between model and file: fp16 safetensors under PEFT's names, the form in which it crosses the wire.

numpy has no bf16, and fp16 rounds an adapter by 2e-4 of its norm, which is far below what one optimiser step changes.
"""

from pathlib import Path

import safetensors.torch
import torch
from peft import PeftModel, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors import SafetensorError

from fedspoke.api import files
from fedspoke.api.errors import Failed, Refused
from fedspoke.api.records import Tensor


def layout(model: PeftModel) -> tuple[Tensor, ...]:
    """Which tensors the model's adapter has, sorted by name."""
    return tuple(Tensor(name=name, shape=tuple(value.shape)) for name, value in sorted(_state(model).items()))


def save(model: PeftModel, path: Path) -> None:
    """Write the model's adapter.

    Raises:
        Failed: a value is not finite, or too large for fp16.
    """
    tensors = {name: value.detach().to("cpu", torch.float16).contiguous() for name, value in sorted(_state(model).items())}
    for name, value in tensors.items():
        if not value.isfinite().all():
            raise Failed(f"the trained adapter's tensor {name} has values that fp16 cannot hold; training diverged")
    files.replace(path, safetensors.torch.save(tensors))


def load(model: PeftModel, path: Path) -> None:
    """Give the model the adapter in the file, whole or not at all.

    Raises:
        Refused: the file is no safetensors file, or names, shapes or values that do not fit the model.
    """
    try:
        tensors = safetensors.torch.load_file(path)
    except (SafetensorError, OSError) as error:
        raise Refused(f"the adapter {path} cannot be read: {error}") from error
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
