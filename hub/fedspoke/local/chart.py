"""A line chart as geometry: what is where, in percent of the plot. So a page draws it at any width, with text of one size."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count, pairwise

_TICKS = 5  # about as many lines as help the eye on a plot of this height
_LABELS = 10  # as many round numbers as fit side by side on a phone


@dataclass(frozen=True, slots=True)
class Tick:
    """A labelled place on an axis."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Point:
    """One value of one series; x grows to the right and y grows downwards, both from 0 to 100."""

    round: int
    value: float
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Line:
    """One series. Only neighbouring rounds are joined: a gap says that the cluster missed a round."""

    name: str
    points: tuple[Point, ...]
    segments: tuple[tuple[Point, Point], ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """Everything that is drawn."""

    lines: tuple[Line, ...]
    xs: tuple[Tick, ...]
    ys: tuple[Tick, ...]


def line_chart(series: Mapping[str, Sequence[tuple[int, float]]]) -> Chart:
    """The chart of (round, value) pairs, rounds ascending, of which there is one at least."""
    values = [value for pairs in series.values() for _, value in pairs]
    rounds = sorted({number for pairs in series.values() for number, _ in pairs})
    first, last = rounds[0], rounds[-1]
    step, low, high = _scale(min(values), max(values))

    def x(number: int) -> float:
        return 50.0 if first == last else _percent((number - first) / (last - first))

    def y(value: float) -> float:
        return _percent((high - value / step) / (high - low))

    def line(name: str, pairs: Sequence[tuple[int, float]]) -> Line:
        points = tuple(Point(number, value, x(number), y(value)) for number, value in pairs)
        return Line(name, points, tuple((a, b) for a, b in pairwise(points) if b.round == a.round + 1))

    decimals = max(0, -math.floor(math.log10(step)))
    every = next(factor * 10**power for power in count() for factor in (1, 2, 5) if factor * 10**power * _LABELS >= len(rounds))
    return Chart(
        lines=tuple(line(name, pairs) for name, pairs in series.items()),
        xs=tuple(Tick(x(number), str(number)) for number in rounds if number % every == 0),
        ys=tuple(Tick(y(times * step), f"{times * step:.{decimals}f}") for times in range(low, high + 1)),
    )


def _scale(least: float, most: float) -> tuple[float, int, int]:
    """A step (1, 2 or 5 times a power of ten), and the multiples of it between which all values lie."""
    room = max(0.01 * max(abs(least), abs(most)), 1e-6)
    if most - least < room:  # a flat line runs through the middle
        least, most = least - room, most + room
    power = 10.0 ** math.floor(math.log10((most - least) / _TICKS))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power * _TICKS >= (most - least) * (1 - 1e-9))
    return step, math.floor(least / step), math.ceil(most / step)


def _percent(share: float) -> float:
    return round(min(max(share, 0.0), 1.0) * 100, 2)
