"""Which taint keeps a cluster out of a decision, in spite of the Placement's tolerations, and until when they hold.

Source: OCM's plugin TaintToleration. PreferNoSelect never keeps a cluster out; NoSelectIfNew only one that is not chosen yet.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from fedspoke.api.base import Object
from fedspoke.api.placement_spec import TaintToleration


@dataclass(frozen=True, slots=True)
class Taint:
    """One taint of a cluster, and until when it was tolerated, if a toleration of it has run out."""

    key: str
    value: str
    effect: str
    tolerated_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """How a cluster stands with its taints: kept out by one, or let in, perhaps only until some time."""

    kept_out_by: Taint | None = None
    until: datetime | None = None


def check(tolerations: Sequence[TaintToleration]) -> None:
    """OCM's rules of tolerations, which it applies only if some cluster has passed the predicates.

    Raises:
        Misconfigured: a toleration breaks one.
    """


def standing(cluster: Object, tolerations: Sequence[TaintToleration], *, chosen: bool, now: datetime) -> Standing:
    """Whether the taints of a cluster let it in; `chosen` says that an earlier decision of this Placement has it."""
    return Standing()
