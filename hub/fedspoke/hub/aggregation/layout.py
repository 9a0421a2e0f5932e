"""Which tensors an adapter has: agreed before the first round, and demanded of every file after it.

The hub knows no model. The first clusters that are ready say which tensors their model's adapter has; this is where the hub
decides whether that is a LoRA adapter of the rank that was asked for, and later whether an uploaded file is one of those.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fedspoke.api.adapter import TARGET_MODULES
from fedspoke.api.errors import Refused
from fedspoke.api.records import Tensor
from fedspoke.hub.aggregation import tensor_file

Layout = tuple[Tensor, ...]

_NAME = re.compile(r"base_model\.model\.(?P<module>[A-Za-z0-9_.]{1,300})\.lora_(?P<factor>[AB])\.weight")  # as PEFT saves them
_TENSORS = 1 << 13  # a 70B language model has 2 × 560
_VALUES = 1 << 31  # 4 GiB of fp16: LLaVA 13B at rank 256 is half of it; the hub's sum takes twice the file
_EXPONENT = np.uint16(0x7C00)  # all ones in Inf and NaN, and in no other fp16


def check(layout: Sequence[Tensor], rank: int) -> None:
    """A layout is LoRA's: pairs A (rank × in) and B (out × rank) of the language model's linear layers, and nothing else.

    Raises:
        Refused: it is not; the sentence names the tensor.
    """
    if not 0 < len(layout) <= _TENSORS:
        raise Refused(f"the adapter has {len(layout)} tensors; between 2 and {_TENSORS} would be right")
    factors: dict[str, set[str]] = {}
    for tensor in layout:
        named = _NAME.fullmatch(tensor.name)
        if named is None or not re.fullmatch(TARGET_MODULES, named["module"]):
            raise Refused(f"tensor {tensor.name:.200} is no LoRA factor of a linear layer of the language model")
        rows, columns = tensor.shape
        given, other = (rows, columns) if named["factor"] == "A" else (columns, rows)
        if given != rank or other < 1:
            raise Refused(f"tensor {tensor.name} has the shape {list(tensor.shape)!s:.100}, which rank {rank} does not give")
        pair = factors.setdefault(named["module"], set())
        if named["factor"] in pair:
            raise Refused(f"tensor {tensor.name} is named twice")
        pair.add(named["factor"])
    for module, pair in factors.items():
        if pair != {"A", "B"}:
            raise Refused(f"layer {module} has the factor lora_{pair.pop()} without the other one")
    if sum(map(tensor_file.count, layout)) > _VALUES:
        raise Refused(f"the adapter is larger than {_VALUES * 2 >> 30} GiB; a lower spec.training.lora.rank would fit")


def is_b(tensor: Tensor) -> bool:
    """Whether the tensor is a layer's factor B (out × rank), and not its A (rank × in)."""
    return tensor.name.endswith(".lora_B.weight")


class Pair(NamedTuple):
    """The two factors of one layer."""

    a: Tensor
    b: Tensor


def layer(tensor: Tensor) -> str:
    """Of which layer the tensor is a factor."""
    return tensor.name.rpartition(".lora_")[0]


def pairs(layout: Sequence[Tensor]) -> dict[str, Pair]:
    """Layer → its factors."""
    second = {layer(tensor): tensor for tensor in layout if is_b(tensor)}
    return {layer(tensor): Pair(tensor, second[layer(tensor)]) for tensor in layout if not is_b(tensor)}


def with_rank(layout: Sequence[Tensor], rank: int) -> Layout:
    """The same layers' factors at another rank."""
    return tuple(
        tensor.model_copy(update={"shape": (tensor.shape[0], rank) if is_b(tensor) else (rank, tensor.shape[1])})
        for tensor in layout
    )


def verify(path: Path, layout: Sequence[Tensor]) -> None:
    """A file that came over the wire is exactly this layout's, and every value in it is a number.

    Raises:
        Refused: it is not; the sentence names the tensor.
    """
    with path.open("rb") as file:
        places = tensor_file.places(file, layout)
        for tensor in layout:
            for _, values in tensor_file.blocks(file, places[tensor.name], tensor_file.count(tensor)):
                bits = values.view(np.uint16) & _EXPONENT
                if (bits == _EXPONENT).any():
                    raise Refused(f"tensor {tensor.name} holds NaN or infinity")
