"""celSelector: CEL as OCM's environment has it, over the variable managedCluster."""

from collections.abc import Sequence
from dataclasses import dataclass

from fedspoke.api.base import Object
from fedspoke.api.errors import Refused
from fedspoke.placement import counts, declared
from fedspoke.placement.counts import AtLeast


class Uncompilable(Exception):
    """An expression that OCM's environment does not compile; the text says where and why."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an expression says of a cluster; `failed` is why it could not be evaluated, and then it does not hold."""

    holds: bool
    failed: str | None = None


class Environment:
    """What expressions may use: the variable, the functions, and the AddOnPlacementScores that `scores` looks at."""

    def __init__(self, scores: Sequence[Object] = ()) -> None:
        self._scores = scores

    def compile(self, source: str) -> "Expression":
        """One expression, once for all clusters.

        Raises:
            Uncompilable: as OCM's environment would say.
            Refused: it uses what OCM has and this does not; the sentence names it.
        """
        count = counts.read(source)
        if count is None:
            raise Refused(f"celSelector is not evaluated here yet, only on a hub: take {source!r} out of celExpressions")
        return Expression(source, count)


@dataclass(frozen=True, slots=True)
class Expression:
    """One compiled expression."""

    source: str
    _count: AtLeast

    def of(self, cluster: Object) -> Outcome:
        """What it says of a ManagedCluster."""
        return Outcome((declared.count(cluster, self._count.claim) or 0) >= self._count.least)
