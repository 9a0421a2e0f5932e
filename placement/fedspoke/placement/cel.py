"""celSelector: CEL as OCM's environment has it, over the variable managedCluster."""

from collections.abc import Sequence
from dataclasses import dataclass

from fedspoke.api.base import Object


class Scores:
    """AddOnPlacementScores by cluster and name, for `managedCluster.scores("name")`."""

    def __init__(self, objects: Sequence[Object]) -> None:
        self._by_cluster = {(it["metadata"]["namespace"], it["metadata"]["name"]): it for it in objects}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an expression says of a cluster; `failed` is why it could not be evaluated, and then it does not hold."""

    holds: bool
    failed: str | None = None


class Expression:
    """One CEL expression, compiled once for all clusters.

    Raises:
        Misconfigured: it does not compile, as OCM's environment would not compile it.
        Refused: it uses what OCM's environment has and this does not; the sentence names it.
    """

    def __init__(self, source: str, scores: Scores) -> None:
        self.source = source
        self._scores = scores

    def of(self, cluster: Object) -> Outcome:
        """What it says of a ManagedCluster."""
        return Outcome(False, "not evaluated yet")
