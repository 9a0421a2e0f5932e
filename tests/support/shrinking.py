"""Of a world in which two answers differ, the part that the difference needs."""

from collections.abc import Callable
from typing import Any

from fedspoke.placement.fleet import Fleet
from support.placements import World

_TRIES = 250
_INSIDE = ("decisions", "scores", "clusters")  # sets and bindings go whole: what they leave out, an API server would fill in
_KINDS = ("bindings", "sets", *_INSIDE)
_IDENTITY = frozenset({"apiVersion", "kind", "metadata", "spec", "name", "namespace"})  # without which an object is none

_Holds = Callable[[Any], bool]


def smallest(world: World, differs: Callable[[World], bool]) -> World:
    """A world of one Placement with all taken away that can go, within a bound of tries: each asks OCM anew."""
    tries = iter(range(_TRIES))

    def still(parts: dict[str, Any]) -> bool:
        return next(tries, None) is not None and differs(_world(parts))

    parts = _parts(world)
    while (less := _reduced(parts, still)) != parts:  # what was needed by something that has gone since may go now
        parts = less
    return _world(parts)


def _parts(world: World) -> dict[str, Any]:
    (placement,) = world.placements
    return {"placement": placement} | {kind: list(getattr(world.fleet, kind)) for kind in _KINDS}


def _world(parts: dict[str, Any]) -> World:
    fleet = {kind: tuple(parts[kind]) for kind in _KINDS}
    return World(Fleet(**fleet), (parts["placement"],))


def _reduced(parts: dict[str, Any], still: _Holds) -> dict[str, Any]:
    """First what most of a world consists of: whole objects. Then what is in the Placement, and in what is left of the others."""
    for kind in reversed(_KINDS):
        parts = parts | {kind: _fewer(parts[kind], _within(parts, kind, still))}
    for name in ("placement", *_INSIDE):
        parts = parts | {name: _less(parts[name], _within(parts, name, still))}
    return parts


def _less(value: Any, still: _Holds) -> Any:
    """A document without what can go: its own parts, and then what is in them."""
    if isinstance(value, dict):
        fixed = {key: part for key, part in value.items() if key in _IDENTITY}
        some = [key for key in value if key not in _IDENTITY]
        kept = _fewer(some, lambda keys: still(fixed | {key: value[key] for key in keys}))
        value = fixed | {key: value[key] for key in kept}
        places: Any = list(value)
    elif isinstance(value, list):
        value = _fewer(value, still)
        places = range(len(value))
    else:
        return value
    for place in places:
        value = _with(value, place, _less(value[place], _within(value, place, still)))
    return value


def _fewer(some: list[Any], still: _Holds) -> list[Any]:
    """Of several the fewest: all taken away at once, then half of them, down to one by one."""
    size = len(some)
    while size:
        start = 0
        while start < len(some):
            without = [*some[:start], *some[start + size :]]
            if still(without):
                some = without
            else:
                start += size
        size //= 2
    return some


def _within(whole: Any, place: Any, still: _Holds) -> _Holds:
    """Whether the whole still holds, asked of one of its parts."""
    return lambda part: still(_with(whole, place, part))


def _with(several: Any, place: Any, part: Any) -> Any:
    return several | {place: part} if isinstance(several, dict) else [*several[:place], part, *several[place + 1 :]]
