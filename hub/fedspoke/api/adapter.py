"""The LoRA adapter as hub and spokes agree on it: which layers it is on, what its files hold, what its first values are.

The hub carries no torch; it knows an adapter as named fp16 matrices in a safetensors file, and as PEFT's configuration beside it.
"""

import json
import shutil
from pathlib import Path

from fedspoke.api.federated_learning import Lora, Object

_LANGUAGE_MODEL = r".*language_model.*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)"
_PROJECTOR = r".*multi_modal_projector\.(linear_1|linear_2)"

WEIGHTS_FILE = "adapter_model.safetensors"
CONFIG_FILE = "adapter_config.json"


def target_modules(lora: Lora) -> str:
    """Which layers get adapters, as a pattern of their whole names.

    They are all linear layers of the language model (as in LLaVA's own finetune_lora.sh), and none of the vision tower, whose
    projections bear the same names. With `lora.projector` they are the projector's two as well. LLaVA trains these in full; with
    adapters they are averaged, hidden, brought to a rank and measured as all other layers are, and no cluster changes the base
    model. At rank 16 they are 0.4 MB of the 7B's adapter, where the projector's own weights would be 42 MB.
    """
    return f"({_LANGUAGE_MODEL}|{_PROJECTOR})$" if lora.projector else f"{_LANGUAGE_MODEL}$"


def peft_config(lora: Lora, model: str) -> Object:
    """adapter_config.json: what `PeftModel.from_pretrained` needs beside the weights."""
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": model,
        "target_modules": target_modules(lora),
        "r": lora.rank,
        "lora_alpha": lora.alpha,
        "lora_dropout": lora.dropout,
        "bias": "none",
        "inference_mode": True,
    }


def save(folder: Path, weights: Path, lora: Lora, model: str) -> None:
    """A folder that `PeftModel.from_pretrained` loads, in place of the one before: it is there whole or not at all."""
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    shutil.copyfile(weights, partial / WEIGHTS_FILE)
    (partial / CONFIG_FILE).write_text(json.dumps(peft_config(lora, model), indent=2))
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
