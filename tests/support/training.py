"""A trainer of the tiny LLaVA that learns fast, and the adapter that a first round starts from."""

from pathlib import Path
from typing import Any

import numpy as np

from fedspoke.api.aggregation import Aggregation
from fedspoke.api.federated_learning import Lora, Training
from fedspoke.collaborator.checkpoint import Checkpoints
from fedspoke.collaborator.privacy import Gaussian
from fedspoke.collaborator.training import Trainer
from support import adapters
from support.tiny import tiny_llava


def silent(step: int, steps: int, loss: float) -> None:
    """Hears nothing of the steps."""


def trainer(
    *,
    rounds: int = 1,
    aggregation: Aggregation | None = None,
    hide: Gaussian | None = None,
    checkpoints: Checkpoints | None = None,
    model: Path | None = None,
    **changes: Any,
) -> Trainer:
    """At a constant rate, unless `changes` of the training say otherwise."""
    told: dict[str, Any] = {
        "lora": Lora(rank=8, alpha=16),
        "steps": 4,
        "learning_rate": 4e-3,
        "schedule": "constant",
        "warmup": 0,
        "batch_size": 4,
        "gradient_accumulation": 2,
    }
    return Trainer(
        str(model or tiny_llava()),
        Training(**told | changes),
        rounds=rounds,
        aggregation=aggregation or Aggregation(),
        hide=hide,
        checkpoints=checkpoints,
    )


def first_adapter(of: Trainer, path: Path) -> Path:
    """As the hub begins: A drawn, B zero, so that the model is the base model still."""
    drawn, zero = adapters.drawn(of.layout(), seed=0), adapters.filled(of.layout(), 0)
    return adapters.save({name: drawn[name] / np.float16(4) if "lora_A" in name else zero[name] for name in drawn}, path)
