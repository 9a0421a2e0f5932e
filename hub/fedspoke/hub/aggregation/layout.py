"""Which tensors an adapter has: agreed before the first round, and demanded of every file after it.

The hub knows no model. The first clusters that are ready say which tensors their model's adapter has; this is where the hub
decides whether that is a LoRA adapter of the rank that was asked for, and later whether an uploaded file is one of those.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fedspoke.api.adapter import target_modules
from fedspoke.api.errors import Refused
from fedspoke.api.federated_learning import Lora
from fedspoke.api.records import Tensor
from fedspoke.hub.aggregation import tensor_file

_NAME = re.compile(r"base_model\.model\.(?P<module>[A-Za-z0-9_.]{1,300})\.lora_(?P<factor>[AB])\.weight")  # as PEFT saves them
_TENSORS = 1 << 13  # a 70B language model has 2 × 560
_VALUES = 1 << 31  # 4 GiB of fp16: LLaVA 13B at rank 256 is half of it; the hub's sum takes twice the file
_EXPONENT = np.uint16(0x7C00)  # all ones in Inf and NaN, and in no other fp16


def check(layout: Sequence[Tensor], lora: Lora) -> None:
    """A layout is this LoRA's: pairs A (rank × in) and B (out × rank) of the linear layers that it is on, and nothing else.

    Raises:
        Refused: it is not; the sentence names the tensor.
    """
    if not 0 < len(layout) <= _TENSORS:
        raise Refused(f"the adapter has {len(layout)} tensors; between 2 and {_TENSORS} would be right")
    targets = target_modules(lora)
    factors: dict[str, set[str]] = {}
    for tensor in layout:
        named = _NAME.fullmatch(tensor.name)
        if named is None or not re.fullmatch(targets, named["module"]):
            raise Refused(f"tensor {tensor.name:.200} is no LoRA factor of a layer that is to be trained")
        rows, columns = tensor.shape
        given, other = (rows, columns) if named["factor"] == "A" else (columns, rows)
        if given != lora.rank or other < 1:
            raise Refused(f"tensor {tensor.name} has the shape {list(tensor.shape)!s:.100}, which rank {lora.rank} does not give")
        pair = factors.setdefault(named["module"], set())
        if named["factor"] in pair:
            raise Refused(f"tensor {tensor.name} is named twice")
        pair.add(named["factor"])
    for module, pair in factors.items():
        if pair != {"A", "B"}:
            raise Refused(f"layer {module} has the factor lora_{pair.pop()} without the other one")
    if sum(map(tensor_file.count, layout)) > _VALUES:
        raise Refused(f"the adapter is larger than {_VALUES * 2 >> 30} GiB; a lower spec.training.lora.rank would fit")


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
