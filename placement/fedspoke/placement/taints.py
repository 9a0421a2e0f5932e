"""Which taint keeps a cluster out of a decision, in spite of the Placement's tolerations, and until when they hold.

Source: OCM's plugin TaintToleration. PreferNoSelect never keeps a cluster out; NoSelectIfNew only one that is not chosen yet.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from fedspoke.api.base import Object
from fedspoke.api.placement_spec import TaintToleration
from fedspoke.placement.misconfigured import Misconfigured

_NEVER = datetime.max.replace(tzinfo=UTC)
"""When a toleration without tolerationSeconds ends."""
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
"""When a taint without a time was added."""


@dataclass(frozen=True, slots=True)
class Taint:
    """One taint of a cluster, and until when it was tolerated, if a toleration of it has run out.

    A taint that is not `dated` has no timeAdded, from which tolerationSeconds count, and ran out before it began.
    """

    key: str
    value: str
    effect: str
    tolerated_until: datetime | None = None
    dated: bool = True


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
    for toleration in tolerations:
        if not toleration.key and toleration.operator != "Exists":
            raise Misconfigured("TaintToleration", "If the key is empty, operator must be Exists.")
        if toleration.operator == "Exists" and toleration.value:
            raise Misconfigured("TaintToleration", "If the operator is Exists, the value should be empty.")


def standing(cluster: Object, tolerations: Sequence[TaintToleration], *, chosen: bool, now: datetime) -> Standing:
    """Whether the taints of a cluster let it in; `chosen` says that an earlier decision of this Placement has it."""
    first_end = _NEVER
    for taint in (cluster.get("spec") or {}).get("taints") or []:
        if taint["effect"] == "PreferNoSelect" or (taint["effect"] == "NoSelectIfNew" and chosen):
            continue
        end = max(_ends(taint, tolerations), default=None)
        if end is None or end <= now:
            return Standing(Taint(taint["key"], taint.get("value") or "", taint["effect"], end, bool(taint.get("timeAdded"))))
        first_end = min(first_end, end)
    return Standing(until=None if first_end == _NEVER else first_end)


def _ends(taint: Object, tolerations: Sequence[TaintToleration]) -> Iterator[datetime]:
    for toleration in tolerations:
        if _tolerates(toleration, taint):
            seconds = toleration.toleration_seconds
            yield _NEVER if seconds is None else _later(_added(taint), seconds)


def _later(moment: datetime, seconds: int) -> datetime:
    """That many seconds later, as Go adds them: in nanoseconds of 64 bits, so that 300 years are long ago and not yet to come."""
    nanoseconds = (seconds * 10**9 + 2**63) % 2**64 - 2**63
    try:
        return moment + timedelta(microseconds=nanoseconds // 1000)
    except OverflowError:
        return _NEVER if nanoseconds > 0 else _LONG_AGO


def _tolerates(toleration: TaintToleration, taint: Object) -> bool:
    if toleration.effect and toleration.effect != taint["effect"]:
        return False
    if toleration.key and toleration.key != taint["key"]:
        return False
    match toleration.operator:
        case "Exists":
            return True
        case "Equal" | "":
            return (toleration.value or "") == (taint.get("value") or "")
        case _:
            return False  # there is no such operator; OCM takes it and finds that nothing matches


def _added(taint: Object) -> datetime:
    """When the clock of tolerationSeconds began."""
    added = taint.get("timeAdded")
    return datetime.fromisoformat(added).astimezone(UTC) if added else _LONG_AGO
