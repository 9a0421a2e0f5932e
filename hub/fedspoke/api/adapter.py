"""The LoRA adapter as hub and spokes agree on it: which layers it is on, what its files hold, what its first values are.

The hub carries no torch; it knows an adapter as named fp16 matrices in a safetensors file, and as PEFT's configuration beside it.
"""

import json
import shutil
from pathlib import Path

from fedspoke.api.federated_learning import Lora, Object

TARGET_MODULES = r".*language_model.*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)$"
"""Every linear layer of the language model (as LLaVA's own finetune_lora.sh), and none of the vision tower, whose q, k and v
projections bear the same names."""

WEIGHTS_FILE = "adapter_model.safetensors"
CONFIG_FILE = "adapter_config.json"


def peft_config(lora: Lora, model: str) -> Object:
    """adapter_config.json: what `PeftModel.from_pretrained` needs beside the weights."""
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": model,
        "target_modules": TARGET_MODULES,
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
