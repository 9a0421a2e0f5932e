"""A life that ends at one of its steps, as by signal 9: from then on nothing that it does comes to pass.

Steps are what the world notices: a look at the nodes, an order to one of them, a file that gets its name or loses it. Python
itself tells of files (`sys.addaudithook`), so nothing of what lives is replaced.
"""

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from types import TracebackType
from typing import Any

from fedspoke.hub.aggregation.members import Answer, Order
from support.federation import Nodes


class Killed(BaseException):
    """No handler of ours catches it, and what a handler would still do fails likewise."""


@dataclass
class Fate:
    """Counts the steps within its block, and ends it at one of them; 0: at none."""

    deadly: int = 0
    steps: int = 0

    @property
    def dead(self) -> bool:
        return 0 < self.deadly <= self.steps

    def step(self) -> None:
        self.steps += 1
        if self.dead:
            raise Killed

    def __enter__(self) -> None:
        _watch_files()
        _living.append(self)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool:
        _living.remove(self)
        return self.dead


class MortalNodes(Nodes):
    """Those of an aggregator with a fate."""

    def __init__(self, fate: Fate) -> None:
        super().__init__()
        self._fate = fate

    def online(self) -> Iterable[int]:
        self._fate.step()
        return super().online()

    def ask(self, node: int, order: Order) -> None:
        self._fate.step()
        super().ask(node, order)

    def answers(self) -> Iterable[tuple[int, Order, Answer | str]]:
        self._fate.step()
        return super().answers()


_living: list[Fate] = []


@cache
def _watch_files() -> None:
    """Once, as Python takes no hook back."""

    def hook(event: str, arguments: Any) -> None:
        if event in ("os.rename", "os.remove"):
            for fate in _living:
                fate.step()

    sys.addaudithook(hook)
