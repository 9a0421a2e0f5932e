"""The frozen language model in fewer bits: int8 (arXiv 2208.07339) or nf4 (QLoRA, arXiv 2305.14314), by bitsandbytes.

Only the language model's linear layers are quantised: they are 6.5 of the 7B's 7.1 billion parameters, and what LoRA corrects.
The vision tower, the projector and the head stay as they are, since nothing is trained that could make up for their rounding.

peft's `prepare_model_for_kbit_training` is not used. It casts all that is not quantised to fp32, which takes as much memory again
as the tower; Llama's norms and torch's cross entropy compute in fp32 anyway, and peft keeps the adapter itself in fp32.
"""

from typing import Any, Literal

import torch
from transformers import BitsAndBytesConfig

from fedspoke.api.errors import Refused
from fedspoke.collaborator.memory import lacking

Quantization = Literal["none", "int8", "nf4"]

# Full names: transformers matches from the start or at the end of a layer's name; `vision_tower` alone would keep nothing.
_KEPT = ["lm_head", "model.vision_tower", "model.multi_modal_projector"]


def arguments(quantization: Quantization, device: torch.device, dtype: torch.dtype) -> dict[str, Any]:
    """What `from_pretrained` is told; nf4 computes in `dtype`, int8 with integers.

    Raises:
        Refused: bitsandbytes does not run on this device.
    """
    if quantization == "none":
        return {}  # and no None, with which transformers would read a quantised folder's bits as if they were weights
    try:
        _try(quantization, device, dtype)
    except Exception as error:  # of a build that does not fit the device it raises what comes
        if lacking(error):
            raise
        reason, _, _ = str(error).partition("\n")
        raise Refused(
            f"training.quantization is {quantization}, but bitsandbytes does not run on {device.type} here ({reason:.200}); "
            "use none"
        ) from error
    config = BitsAndBytesConfig(
        load_in_8bit=quantization == "int8",
        load_in_4bit=quantization == "nf4",
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
        llm_int8_skip_modules=_KEPT,
    )
    return {"quantization_config": config}


def check(model: torch.nn.Module, quantization: Quantization) -> None:
    """Every linear layer of the language model is quantised as asked, can be trained through, and no other layer is quantised.

    Raises:
        Refused: it is not so; the sentence names a layer.
    """
    layers = _layers() if quantization != "none" or getattr(model, "is_quantized", False) else {}
    for name, layer in model.named_modules():
        if not isinstance(layer, torch.nn.Linear):
            continue
        asked = quantization if ".language_model." in name else "none"
        given = next((kind for kind, of in layers.items() if isinstance(layer, of)), "none")
        if given != asked:
            raise Refused(
                f"the quantization of the model's layer {name} is {given}, where training.quantization {quantization} means "
                f"{asked}; use a LLaVA 1.5 that is not quantised itself"
            )
        if given == "nf4":
            # On CPUs with AVX512-BF16 it would pack its weights anew at the first product without gradients, for good, and no
            # product with those has gradients.
            of_bitsandbytes: Any = layer
            of_bitsandbytes.support_avx512bf16_for_cpu = False


def _layers() -> dict[str, Any]:
    """What is quantised how; bitsandbytes takes seconds to import and says much, so that it is left alone where nothing is."""
    from bitsandbytes.nn.modules import Linear4bit, Linear8bitLt

    return {"int8": Linear8bitLt, "nf4": Linear4bit}


def _try(quantization: Quantization, device: torch.device, dtype: torch.dtype) -> None:
    """One small product: that its build does not fit the device is what bitsandbytes says at the first use only."""
    options = {"has_fp16_weights": False} if quantization == "int8" else {"quant_type": "nf4"}
    with torch.inference_mode():
        _layers()[quantization](64, 64, bias=False, **options).to(device)(torch.zeros(1, 64, device=device, dtype=dtype))
