"""Some of eleven clusters poison a LLaVA: fedavg loses most, robust strategies hold against as many as they are made for."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fedspoke.api.aggregation import Aggregation
from fedspoke.data.records import CleanRecord
from fedspoke.hub.aggregation.combine import Update, combine
from fedspoke.hub.aggregation.exchange import Exchange
from fedspoke.hub.aggregation.initial import initial
from fedspoke.hub.aggregation.releases import Releases
from fedspoke.hub.aggregation.terms import Terms
from fedspoke.hub.aggregation.uploads import Uploads
from support import adapters
from support.federation import NOISED, tickets, upload
from support.tiny import record
from support.training import silent, trainer

SUBJECTS = ("bicycles", "boats", "bread", "clouds", "kites", "lanterns", "maps", "stones", "teapots", "tulips", "violins")
COLOURS = ("red", "green", "blue", "yellow")

Arrays = Mapping[str, NDArray[np.float16]]
Single = NDArray[np.float32]
Lie = Callable[[int, Single, Single], Single]
"""Whose it is, a tensor as the round started, and what honest training would have made of it → what is sent."""

LIES: dict[str, Lie] = {
    "scaled": lambda liar, start, trained: start + 100 * (trained - start),
    "flipped": lambda liar, start, trained: start - 100 * (trained - start),
    "noise of a huge norm": lambda liar, start, trained: start + 10 * drawn(liar, start.shape),
    "all the same": lambda liar, start, trained: start + drawn(0, start.shape),
}

Limits = tuple[dict[str, float], int, int]
"""Options, the most liars that a strategy is made to hold against, and how many are too many if they agree on one lie."""

ROBUST: dict[str, Limits] = {
    "fedmedian": ({}, 5, 6),
    "trimmedmean": ({"beta": 0.2}, 2, 3),
    "krum": ({"malicious": 4}, 4, 6),
    "multikrum": ({"malicious": 4}, 4, 6),
    "bulyan": ({"malicious": 2}, 2, 5),
}


def drawn(seed: int, shape: tuple[int, ...]) -> Single:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


class World:
    """A model, the adapter that all start from, and what the clusters, had they all been honest, made of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.trainer = trainer(steps=8)
        self.layout = self.trainer.layout()
        self.start = folder / "start"
        initial(self.layout, "seed", self.start)
        # They all write in one way, each on a subject of its own.
        said = [[record(f"a {colour} morning with {subject} #{colour}") for colour in COLOURS] for subject in SUBJECTS]
        self.honest = [self._trained(number, posts) for number, posts in enumerate(said)]
        self.posts = [post for posts in said for post in posts]

    def loss(self, adapter: Path) -> float:
        """Of an adapter, on what all clusters wrote."""
        return self.trainer.loss(self.posts, self.folder, adapter)

    def together(self, strategy: str, liars: int = 0, lie: str = "scaled", **options: float) -> float:
        """The loss of what the hub makes of the clusters' adapters when the last few of them lie."""
        first = len(SUBJECTS) - liars
        files = [*self.honest[:first], *(self.lie(lie, liar) for liar in range(first, len(SUBJECTS)))]
        updates = [Update(f"cluster{number:02}", file, len(COLOURS), self.layout) for number, file in enumerate(files)]
        how = Aggregation.model_validate({"strategy": strategy, "options": options})
        combine(how, self.layout, self.start, updates, self.folder / "result")
        return self.loss(self.folder / "result")

    def lie(self, kind: str, liar: int) -> Path:
        """What the liar sends in place of what it has trained."""
        start, trained, largest = adapters.load(self.start), adapters.load(self.honest[liar]), np.finfo(np.float16).max
        told = {name: LIES[kind](liar, start[name].astype(np.float32), trained[name].astype(np.float32)) for name in start}
        clipped = {name: np.clip(values, -largest, largest).astype(np.float16) for name, values in told.items()}
        return adapters.save(clipped, self.folder / f"lie-{liar}")

    def _trained(self, number: int, posts: list[CleanRecord]) -> Path:
        self.trainer.train(posts, self.folder, self.start, self.folder / f"trained-{number}", 1, silent)
        return self.folder / f"trained-{number}"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("poisoned"))


@pytest.fixture(scope="module")
def half(world: World) -> float:
    """The loss when half is lost of what the clusters, all honest, learn together."""
    return (world.loss(world.start) + world.together("fedavg")) / 2


def test_without_liars_federation_helps(world: World) -> None:
    assert world.together("fedavg") < 0.6 * world.loss(world.start)


@pytest.mark.parametrize("lie", LIES)
def test_one_liar_spoils_fedavg(world: World, half: float, lie: str) -> None:
    assert world.together("fedavg", 1, lie) > half


@pytest.mark.parametrize("strategy", ROBUST)
@pytest.mark.parametrize("lie", LIES)
def test_a_robust_strategy_keeps_most_against_as_many_liars_as_it_is_made_for(
    world: World, half: float, strategy: str, lie: str
) -> None:
    options, liars, _ = ROBUST[strategy]
    assert world.together(strategy, liars, lie, **options) < half


@pytest.mark.parametrize("strategy", ROBUST)
def test_no_strategy_holds_against_any_number_of_liars_that_agree(world: World, half: float, strategy: str) -> None:
    options, _, too_many = ROBUST[strategy]
    assert world.together(strategy, too_many, "all the same", **options) > half


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_number_never_comes_so_far(world: World, tmp_path: Path, value: float) -> None:
    spoiled = dict(adapters.load(world.honest[0]))
    spoiled[world.layout[0].name][0, 0] = value
    uploads = Uploads(tmp_path / "uploads", Releases(tmp_path / "releases.json", NOISED))
    uploads.open(1, {"cluster1": Terms(world.start, adapters.digest(world.start), world.layout)})
    exchange = Exchange("test.run", uploads, tickets())
    assert upload(exchange, "cluster1", 1, adapters.save(spoiled, tmp_path / "spoiled").read_bytes(), 4) == 422
    assert uploads.left(1, "cluster1") is None
    assert upload(exchange, "cluster1", 1, world.honest[0].read_bytes(), 4) == 201
