"""One of seven clusters poisons a LLaVA: with fedavg all would have been better off without training, robust strategies hold."""

from pathlib import Path

import numpy as np
import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForImageTextToText

from fedspoke.api.adapter import target_modules
from fedspoke.api.federated_learning import Aggregation, Lora
from fedspoke.collaborator import adapters
from fedspoke.hub.aggregation.combine import Update, combine
from fedspoke.hub.aggregation.initial import initial
from support import adapters as files
from support.tiny import tiny_llava

HONEST = 6


class World:
    """A model, the adapter that all start from, and what six honest clusters and a liar made of it."""

    def __init__(self, folder: Path) -> None:
        torch.manual_seed(0)
        base = AutoModelForImageTextToText.from_pretrained(tiny_llava(), dtype=torch.float32)
        self.model: PeftModel = get_peft_model(base, LoraConfig(r=4, lora_alpha=8, target_modules=target_modules(Lora())))
        self.layout = adapters.layout(self.model)
        self.folder = folder
        self.start = folder / "start"
        initial(self.layout, "seed", self.start)
        # They all write in one way, each on its own subjects: eight tokens in a row, from different places on.
        self.posts = [torch.stack([torch.arange(300 + 3 * n + k, 308 + 3 * n + k) for k in range(3)]) for n in range(HONEST)]
        self.updates = [self._update(number, self._trained(posts)) for number, posts in enumerate(self.posts)]
        begun, last = files.load(self.start), files.load(self.updates[-1].path)
        lie = {name: (begun[name] - 100 * (last[name].astype(np.float32) - begun[name])).astype(np.float16) for name in begun}
        self.liar = self._update(HONEST, files.save(lie, folder / "lie"))

    def loss(self, adapter: Path) -> float:
        """Of an adapter, on what the honest clusters wrote."""
        adapters.load(self.model, adapter)
        with torch.no_grad():
            return float(self._loss(torch.cat(self.posts)))

    def together(self, strategy: str, *updates: Update) -> float:
        """The loss of what a strategy makes of these."""
        how = Aggregation.model_validate({"strategy": strategy})
        combine(how, self.layout, self.start, updates, self.folder / "result")
        return self.loss(self.folder / "result")

    def _trained(self, posts: torch.Tensor) -> Path:
        adapters.load(self.model, self.start)
        optimizer = torch.optim.AdamW([value for value in self.model.parameters() if value.requires_grad], lr=3e-3)
        for _ in range(12):
            optimizer.zero_grad()
            self._loss(posts).backward()
            optimizer.step()
        path = self.folder / f"trained-{posts[0, 0]}"
        adapters.save(adapters.learned(self.model), path)
        return path

    def _loss(self, posts: torch.Tensor) -> torch.Tensor:
        loss: torch.Tensor = self.model(input_ids=posts, labels=posts).loss
        return loss

    def _update(self, number: int, path: Path) -> Update:
        return Update(f"cluster{number}", path, 3, self.layout)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("poisoned"))


def test_without_the_liar_federation_helps(world: World) -> None:
    assert world.together("fedavg", *world.updates) < 0.8 * world.loss(world.start)


def test_one_liar_makes_fedavg_worse_than_no_training(world: World) -> None:
    assert world.together("fedavg", *world.updates, world.liar) > world.loss(world.start)


@pytest.mark.parametrize("strategy", ["fedmedian", "trimmedmean", "krum", "multikrum", "bulyan"])
def test_a_robust_strategy_keeps_most_of_what_was_learned(world: World, strategy: str) -> None:
    before, honest = world.loss(world.start), world.together("fedavg", *world.updates)
    assert world.together(strategy, *world.updates, world.liar) < (before + honest) / 2
