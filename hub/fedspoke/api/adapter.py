"""The LoRA adapter as hub and spokes agree on it: which layers it is on, what its files hold, what its first values are.

The hub carries no torch; it knows an adapter as named fp16 matrices in a safetensors file, and as PEFT's configuration beside it.
"""

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
