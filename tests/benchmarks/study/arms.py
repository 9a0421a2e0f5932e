"""The ways to train that the study compares. All of them see every post as often, with the same optimiser.

alone: each cluster for itself. federated: rounds, with the hub's own `combine` between them. pooled: all posts in one place,
which is what a federation does without; in batches as large as a cluster's, so that there are as many more of them as there are
clusters, or in as many steps as each cluster makes, of batches that are so much larger.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from fedspoke.api.aggregation import Aggregation
from fedspoke.api.federated_learning import Training
from fedspoke.collaborator.training import Trainer
from fedspoke.data.records import CleanRecord
from fedspoke.hub.aggregation.combine import Update, combine
from fedspoke.hub.aggregation.initial import initial

Posts = Sequence[CleanRecord]

_AVERAGED = Aggregation()


@dataclass(frozen=True, slots=True)
class Arm:
    """One way to train, for so many passes over all posts, of which `epochs` lie between two averages."""

    kind: Literal["alone", "federated", "pooled", "pooled, as many steps"]
    lora: Literal["average", "svd", "ffa"] = "average"
    epochs: int = 1

    @property
    def name(self) -> str:
        """As the table calls it."""
        epochs = "1 local epoch" if self.epochs == 1 else f"{self.epochs} local epochs"
        return f"federated, {self.lora}, {epochs}" if self.kind == "federated" else self.kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What all arms have in common."""

    model: str
    training: Training
    passes: int
    """Over all posts."""
    images: Path
    clusters: Mapping[str, Posts]
    seed: int
    scratch: Path
    steps: list[int]
    """Each step of each training is noted here."""


def train(arm: Arm, setting: Setting) -> list[tuple[Trainer, Path]]:
    """The adapters that the arm ends with: one, or where each cluster trains alone one of each."""
    match arm.kind:
        case "alone":
            return [_straight(replace(setting, clusters={name: posts})) for name, posts in setting.clusters.items()]
        case "pooled" | "pooled, as many steps":
            together = [post for posts in setting.clusters.values() for post in posts]
            larger = 1 if arm.kind == "pooled" else len(setting.clusters)
            training = setting.training.model_copy(update={"gradient_accumulation": larger})
            return [_straight(replace(setting, clusters={"pooled": together}, training=training))]
        case "federated":
            return [_federated(arm, setting)]


def _straight(setting: Setting) -> tuple[Trainer, Path]:
    """One training without a break, whose optimiser lives from the first step to the last."""
    [(name, posts)] = setting.clusters.items()
    trainer = _trainer(setting, epochs=setting.passes, rounds=1)
    start, result = setting.scratch / "start.safetensors", setting.scratch / f"{name}.safetensors"
    initial(trainer.layout(), str(setting.seed), start)
    trainer.train(posts, setting.images, start, result, 1, _noted(setting))
    return trainer, result


def _federated(arm: Arm, setting: Setting) -> tuple[Trainer, Path]:
    how = Aggregation(lora=arm.lora)
    rounds = setting.passes // arm.epochs
    trainer = _trainer(setting, epochs=arm.epochs, rounds=rounds, aggregation=how)
    layout = trainer.layout()
    sent = tuple(tensor for tensor in layout if arm.lora != "ffa" or ".lora_B." in tensor.name)
    adapter = setting.scratch / "0.safetensors"
    initial(layout, str(setting.seed), adapter)
    for number in range(1, rounds + 1):
        updates = list[Update]()
        for name, posts in setting.clusters.items():
            update = setting.scratch / f"{name}.safetensors"
            outcome = trainer.train(posts, setting.images, adapter, update, number, _noted(setting))
            updates.append(Update(name, update, outcome.examples, sent))
        result = setting.scratch / f"{number}.safetensors"
        combine(how, layout, adapter, updates, result)
        adapter = result
    return trainer, adapter


def _trainer(setting: Setting, *, epochs: int, rounds: int, aggregation: Aggregation = _AVERAGED) -> Trainer:
    training = setting.training.model_copy(update={"epochs": epochs, "seed": setting.seed})
    return Trainer(setting.model, training, rounds=rounds, aggregation=aggregation)


def _noted(setting: Setting) -> Callable[[int, int, float], None]:
    return lambda step, steps, loss: setting.steps.append(step)
