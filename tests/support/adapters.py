"""Small adapters as safetensors files, made with the safetensors library itself, so that the hub's own reader has a judge."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from fedspoke.api.records import Tensor

Arrays = Mapping[str, NDArray[np.float16]]


def factor(name: str) -> str:
    """`layers.0.q_proj.lora_A` → PEFT's name for it in LLaVA."""
    return f"base_model.model.model.language_model.{name}.weight"


def layout(rank: int = 2, layers: int = 2, inner: int = 8, outer: int = 6) -> tuple[Tensor, ...]:
    """The factors of one projection a layer."""
    return tuple(
        tensor
        for layer in range(layers)
        for tensor in (
            Tensor(name=factor(f"layers.{layer}.self_attn.q_proj.lora_A"), shape=(rank, inner)),
            Tensor(name=factor(f"layers.{layer}.self_attn.q_proj.lora_B"), shape=(outer, rank)),
        )
    )


def drawn(tensors: Sequence[Tensor], seed: int) -> dict[str, NDArray[np.float16]]:
    """Values from a seeded normal distribution."""
    generator = np.random.default_rng(seed)
    return {tensor.name: generator.standard_normal(tensor.shape).astype(np.float16) for tensor in tensors}


def filled(tensors: Sequence[Tensor], value: float) -> dict[str, NDArray[np.float16]]:
    """One value everywhere."""
    return {tensor.name: np.full(tensor.shape, value, np.float16) for tensor in tensors}


def save(arrays: Arrays, path: Path) -> Path:
    """As PEFT does."""
    save_file(dict(arrays), path, metadata={"format": "pt"})
    return path


def load(path: Path) -> dict[str, NDArray[np.float16]]:
    """What a file holds, by the safetensors library."""
    arrays: dict[str, NDArray[np.float16]] = load_file(path)
    return arrays


def digest(path: Path) -> str:
    """SHA-256, in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
