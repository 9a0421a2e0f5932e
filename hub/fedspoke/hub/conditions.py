"""The conditions of a FederatedLearning (metav1.Condition): each a small question with an honest answer at every moment."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Literal

from fedspoke.api.federated_learning import Condition, FederatedLearning
from fedspoke.api.status import ENDED
from fedspoke.hub.aggregation.attendance import absent
from fedspoke.hub.aggregation.convergence import over
from fedspoke.hub.observed import UNREADY, Observed, unplaced

_MADE = ("ModelSaved", "ProfilesFused")
_KINDS = ("PlacementSatisfied", "AggregatorReady", "CollaboratorsReady", "Training", *_MADE)

SILENT = "NotHeardOf"
"""The reason where the aggregator should be heard of and is not."""

Answer = tuple[Literal["True", "False", "Unknown"], str, str]
"""Status, reason (one word for programs), message (a sentence for people)."""


def conditions(fl: FederatedLearning, seen: Observed, before: Iterable[Condition], now: datetime) -> list[Condition]:
    """All seven, and while it is suspended, since when; the time of each is that of its last change of status."""
    answers: dict[str, Answer] = {
        "PlacementSatisfied": _placement(fl, seen),
        "AggregatorReady": _aggregator(fl, seen),
        "CollaboratorsReady": _collaborators(fl, seen),
        "Training": _training(fl, seen),
        "ModelSaved": _model(seen),
        "ProfilesFused": _profiles(fl, seen),
        "Degraded": _degraded(fl, seen),
    }
    if fl.spec.suspend:
        answers["Suspended"] = "True", "AskedFor", "spec.suspend is true"
    return _dated(answers, before, fl.generation, now)


def refused(why: str, before: Iterable[Condition], generation: int | None, now: datetime) -> list[Condition]:
    """Of a spec that cannot be run: nothing runs, and what a run before it has made is made."""
    before = list(before)
    none: dict[str, Answer] = dict.fromkeys(_KINDS, ("False", "Refused", "spec cannot be run as it is"))
    return _dated(none | _made(before) | {"Degraded": ("True", "Refused", why)}, before, generation, now)


def unseen(why: str, before: Iterable[Condition], generation: int | None, now: datetime) -> list[Condition]:
    """While the hub cannot be looked at: what was made is made, and of all else nobody knows. Since when: see `Degraded`.

    Args:
        why: it cannot.
        before: the conditions of the last look.
        generation: that the last look was at.
        now: the time.
    """
    before = list(before)
    none: dict[str, Answer] = dict.fromkeys((*_KINDS, "Degraded"), ("Unknown", "HubAway", why))
    return _dated(none | _made(before, "Suspended"), before, generation, now)


def _made(before: Iterable[Condition], *others: str) -> dict[str, Answer]:
    """What was true of before and stays so."""
    kept = [it for it in before if it.type in (*_MADE, *others) and it.status == "True"]
    return {it.type: (it.status, it.reason, it.message) for it in kept}


def _dated(answers: Mapping[str, Answer], before: Iterable[Condition], generation: int | None, now: datetime) -> list[Condition]:
    since: dict[tuple[str, str], datetime] = {(known.type, known.status): known.last_transition_time for known in before}
    return [
        Condition.model_validate(
            {
                "type": kind,
                "status": status,
                "reason": reason,
                "message": message,
                "lastTransitionTime": since.get((kind, status), now),
                "observedGeneration": generation or 0,
            }
        )
        for kind, (status, reason, message) in answers.items()
    ]


def _placement(fl: FederatedLearning, seen: Observed) -> Answer:
    if seen.undecided and not seen.chosen:
        return "Unknown", "Undecided", "OCM's placement controller has not decided yet"
    if missing := unplaced(fl, seen.decision):
        return "False", "TooFewClusters", missing
    strangers = sorted(fl.spec.training.lora.ranks.keys() - set(seen.chosen))
    odd = f"; spec.training.lora.ranks names {', '.join(strangers)}, which is not among them" if strangers else ""
    return "True", "ClustersChosen", f"chosen: {', '.join(seen.chosen)}{odd}"


def _aggregator(fl: FederatedLearning, seen: Observed) -> Answer:
    if seen.failure:
        return "False", "Stopped", f"it does not run: {seen.failure}"
    if seen.progress is None:
        return _starting(fl, seen)
    if seen.progress.phase == "Failed":
        return "False", "Failed", seen.progress.message
    if seen.progress.phase == "Completed":
        return "True", "Finished", "it has done its work"
    return _not_at_work(seen) or ("True", "Running", "it answers")


def _starting(fl: FederatedLearning, seen: Observed) -> Answer:
    if unplaced(fl, seen.decision):
        return "False", "NotPlaced", "it starts once there are enough clusters"
    return _not_at_work(seen) or ("False", "Starting", "nothing is heard of it yet")


def _not_at_work(seen: Observed) -> Answer | None:
    if seen.waits:
        return "False", "Waiting", "; ".join(filter(None, (f"it waits for {seen.waits}", seen.trouble)))
    if seen.silent_since:
        return "Unknown", SILENT, f"its pod runs, but it is not heard of since {moment(seen.silent_since)} UTC"
    return None


def _unheard(since: datetime) -> str:
    return f"the aggregator is not heard of since {moment(since)} UTC"


def _collaborators(fl: FederatedLearning, seen: Observed) -> Answer:
    if unplaced(fl, seen.decision):
        return "False", "NotPlaced", "there are too few clusters to start with"
    if seen.silent_since:
        return "Unknown", SILENT, _unheard(seen.silent_since)
    if lost := seen.lost():
        return "False", "ClusterLost", _named(lost)
    begun = {name for name in seen.chosen if seen.cluster(name).phase not in UNREADY}
    reasons = {name: "; ".join(filter(None, (seen.cluster(name).reason, seen.restarted.get(name)))) for name in seen.chosen}
    waiting = {name: why for name, why in reasons.items() if name not in begun or name in seen.restarted}
    if waiting:
        names = (f"{name} ({reason})" if reason else name for name, reason in waiting.items())
        return "False", "Waiting", f"not ready yet: {', '.join(names)}"
    return "True", "Prepared", "every chosen cluster has answered"


def _training(fl: FederatedLearning, seen: Observed) -> Answer:
    done, total, end = len(seen.rounds), fl.spec.server.rounds, over(fl.spec.server, seen.rounds)
    so_far = end if end and done < total else f"{done} of {total} rounds are done"
    running = seen.progress is not None and seen.progress.phase == "Running" and not seen.failure and not end
    if running and seen.waits and not fl.spec.suspend:
        return "False", "Waiting", f"{so_far}; the hub's part waits for {seen.waits}"
    if seen.silent_since:
        so_far += f", as far as is known; {_unheard(seen.silent_since)}"
        return "False" if seen.failure else "Unknown", SILENT, so_far
    return "True" if running else "False", "Rounds", so_far


def _model(seen: Observed) -> Answer:
    if seen.model:
        return "True", "Saved", f"the global adapter is {seen.model.uri}"
    if seen.silent_since:
        return "Unknown", SILENT, _unheard(seen.silent_since)
    return "False", "NotYet", "the global adapter is saved after the last round"


def _profiles(fl: FederatedLearning, seen: Observed) -> Answer:
    if not fl.spec.profiles.enabled:
        return "False", "NotWanted", "spec.profiles.enabled is false"
    if seen.profile:
        return "True", "Fused", f"the general profile is {seen.profile.uri}"
    if seen.model and seen.progress and seen.progress.phase == "Failed":
        return "False", "NotFused", seen.progress.message
    if seen.silent_since:
        return "Unknown", SILENT, _unheard(seen.silent_since)
    return "False", "NotYet", "profiles follow the last round"


def _degraded(fl: FederatedLearning, seen: Observed) -> Answer:
    return next(_missing(fl, seen), ("False", "AsExpected", "nothing is missing"))


def _missing(fl: FederatedLearning, seen: Observed) -> Iterator[Answer]:
    """What is not as it should be, the first cause first."""
    ended = seen.progress if seen.progress and seen.progress.phase in ENDED else None
    if lost := seen.lost():
        yield "True", "ClusterLost", _named(lost)
    if seen.failure:
        yield "True", "Failed", seen.failure
    if ended and ended.phase == "Failed":
        yield "True", "Failed", ended.message
    if ended and ended.fused:
        yield "True", "ProfilesMissing", ended.fused
    if ended and (missed := absent(seen.chosen, seen.rounds, {})):
        yield "True", "RoundsMissed", missed
    if seen.trouble:
        yield "True", "Refused", seen.trouble
    if not ended:
        yield from _without_aggregator(fl, seen)


def _without_aggregator(fl: FederatedLearning, seen: Observed) -> Iterator[Answer]:
    if seen.silent_since:
        yield "True", SILENT, _unheard(seen.silent_since)
    if seen.waits and not fl.spec.suspend:
        if seen.progress or seen.rounds:
            yield "True", "AggregatorWaits", f"the hub's part waits for {seen.waits}"
        elif not unplaced(fl, seen.decision):
            yield "False", "Starting", f"nothing runs yet that could be missing: the hub's part waits for {seen.waits}"


def _named(reasons: dict[str, str]) -> str:
    return "; ".join(f"{name}: {reason}" for name, reason in reasons.items())


def moment(time: datetime) -> str:
    """As sentences name it, whose last word on times is UTC."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
