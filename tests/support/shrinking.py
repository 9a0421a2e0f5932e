"""Of a world in which two answers differ, the part that the difference needs."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from support.placements import World

_TRIES = 80


def smallest(world: World, differs: Callable[[World], bool]) -> World:
    """A world of one Placement with all taken away that can go one by one, within a bound of tries: each asks OCM anew."""
    tries = iter(range(_TRIES))
    while (
        found := next((each for each in _smaller(world) if next(tries, None) is not None and differs(each)), None)
    ) is not None:
        world = found
    return world


def _smaller(world: World) -> Iterator[World]:
    for kind in ("clusters", "decisions", "scores", "bindings", "sets"):
        for fewer in _without_one(getattr(world.fleet, kind)):
            yield replace(world, fleet=replace(world.fleet, **{kind: tuple(fewer)}))
    (placement,) = world.placements
    for spec in _pruned(placement["spec"]):
        yield replace(world, placements=(placement | {"spec": spec},))


def _without_one(several: Any) -> Iterator[list[Any]]:
    half = len(several) // 2
    if half > 1:  # most of a world has nothing to do with it
        yield list(several[half:])
        yield list(several[:half])
    for position in range(len(several)):
        yield [*several[:position], *several[position + 1 :]]


def _pruned(value: Any) -> Iterator[Any]:
    """A document with one of its parts gone, from the largest to the smallest."""
    if isinstance(value, dict):
        for key in value:
            yield {name: part for name, part in value.items() if name != key}
        for key, part in value.items():
            for less in _pruned(part):
                yield value | {key: less}
    elif isinstance(value, list):
        yield from _without_one(value)
        for position, part in enumerate(value):
            for less in _pruned(part):
                yield [*value[:position], less, *value[position + 1 :]]
