"""What a FederatedLearning says of itself, as a pure function of what is seen: phase, sentence, rounds, clusters."""

from datetime import datetime

from fedspoke.api.federated_learning import (
    ClusterStatus,
    FederatedLearning,
    FederatedLearningStatus,
    Phase,
    RoundMetrics,
    Rounds,
)
from fedspoke.api.names import PHASE_LABEL, ROUND_LABEL
from fedspoke.api.records import HeldOut, RoundRecord
from fedspoke.api.status import ENDED, Evaluation
from fedspoke.hub.aggregation.means import held_out_losses
from fedspoke.hub.conditions import conditions, moment
from fedspoke.hub.observed import UNREADY, Observed, unplaced
from fedspoke.hub.spent import spent

_SILENT = "the aggregator is not heard of, though its pod runs: the log of its container reporter says why"
_SHOWN_ROUNDS = 20  # the status holds the last ones; rounds.jsonl holds all


def status(fl: FederatedLearning, seen: Observed, before: FederatedLearningStatus, now: datetime) -> FederatedLearningStatus:
    """The status to write: a function of what is seen, and of `before` only for when things began."""
    start = before.start_time or now
    said = conditions(fl, seen, before.conditions, now)
    phase, message = _phase(fl, seen, before)
    if phase not in ENDED and (seen.progress is None or seen.waits or seen.silent_since):  # else the aggregator says it
        waits = "PlacementSatisfied" if phase == "Waiting" and unplaced(fl, seen.decision) else "AggregatorReady"
        changed = next(it.last_transition_time for it in said if it.type == waits)
        since = seen.silent_since if seen.silent_since and waits == "AggregatorReady" else changed
        message += f"; since {moment(since)}, until {moment(start + fl.spec.deadline)} UTC"
    measured = seen.progress.held_out if seen.progress else None
    held_out = held_out_losses(seen.rounds, measured.after if measured else None)
    return FederatedLearningStatus(
        phase=phase,
        message=f"{message}; but {seen.trouble}" if seen.trouble else message,
        listeners=[seen.listener] if seen.listener else [],
        observed_generation=fl.generation,
        start_time=start,
        training_start_time=before.training_start_time or (now if _trains(seen) else None),
        completion_time=(before.completion_time or now) if phase in ENDED else None,
        conditions=said,
        rounds=Rounds(completed=_completed(seen, before), total=fl.spec.server.rounds),
        clusters=[_cluster(name, seen) for name in seen.chosen],
        metrics=[_metrics(record, held_out.get(record.round)) for record in seen.rounds[-_SHOWN_ROUNDS:]] or before.metrics,
        model=seen.model,
        profile=seen.profile,
        evaluation=_evaluation(measured) if measured else None,
        privacy=spent(fl.spec.privacy.adapters, seen.releases),
    )


def begun(before: FederatedLearningStatus, now: datetime) -> FederatedLearningStatus:
    """What a controller that starts goes on from: an attempt that has not ended, whose clock runs on, or a new one."""
    if before.start_time is None or before.phase in ENDED:
        return FederatedLearningStatus(start_time=now)
    return before


def mirrored(status: FederatedLearningStatus) -> dict[str, str]:
    """The labels that repeat phase and round, since ACM's search finds labels and no status."""
    return {PHASE_LABEL: status.phase, ROUND_LABEL: str(status.rounds.completed if status.rounds else 0)}


def _trains(seen: Observed) -> bool:
    return bool(seen.rounds) or (seen.progress is not None and seen.progress.phase == "Running")


def _completed(seen: Observed, before: FederatedLearningStatus) -> int:
    """Rounds that were told are not taken back, should the aggregator not be heard of for a while."""
    told = before.rounds.completed if before.rounds else 0
    return max(told, seen.rounds[-1].round if seen.rounds else 0)


def _phase(fl: FederatedLearning, seen: Observed, before: FederatedLearningStatus) -> tuple[Phase, str]:
    if seen.failure:
        return "Failed", seen.failure
    if seen.progress and seen.progress.phase in ENDED:
        return seen.progress.phase, seen.progress.message
    restarted = f"; the hub's {seen.hub_restarted}" if seen.hub_restarted else ""
    awaited = [it for it in seen.chosen if it in seen.restarted and seen.cluster(it).phase in UNREADY]
    ill = "".join(f"; {it}: {seen.restarted[it]}" for it in awaited)
    if seen.progress is None:
        return _unheard(fl, seen, before, restarted, ill)
    waits = f"; but it waits for {seen.waits}" if seen.waits else ""
    waits = f"; but {_SILENT}" if seen.silent_since else waits
    phase = seen.progress.phase
    return phase, f"{seen.progress.message}{restarted}{ill if phase == 'Waiting' else ''}{waits}"


def _unheard(
    fl: FederatedLearning, seen: Observed, before: FederatedLearningStatus, restarted: str, ill: str
) -> tuple[Phase, str]:
    """Before the aggregator says something. Once it has begun it goes on as long as a round finds its quorum."""
    if before.phase == "Running":
        silent = f"the aggregator is not heard of, {seen.waits}" if seen.waits else _SILENT
        return "Running", f"{silent}{restarted}"
    if seen.undecided and not seen.chosen:
        return "Waiting", "waiting for OCM's placement controller, which has not decided yet"
    if missing := unplaced(fl, seen.decision):
        return "Waiting", missing
    if seen.waits:
        return "Waiting", f"waiting for {seen.waits}{ill}"
    return "Waiting", f"{_SILENT if seen.silent_since else 'the aggregator is starting'}{restarted}{ill}"


def _cluster(name: str, seen: Observed) -> ClusterStatus:
    progress, stopped = seen.cluster(name), seen.stopped.get(name)
    return ClusterStatus(
        name=name,
        platform=",".join(progress.posts or seen.platforms.get(name, ())),
        phase="Failed" if stopped else progress.phase,
        reason="; ".join(filter(None, (progress.reason or stopped, seen.restarted.get(name), progress.remark))),
        posts=sum(progress.posts.values()) if progress.posts else None,
        last_round=progress.last_round,
        loss=progress.loss,
    )


def _metrics(record: RoundRecord, held_out_loss: float | None) -> RoundMetrics:
    return RoundMetrics(
        round=record.round,
        loss=record.loss,
        clusters=len(record.clusters),
        seconds=record.seconds,
        bytes_in=sum(cluster.bytes_in for cluster in record.clusters.values()),
        bytes_out=sum(cluster.bytes_out for cluster in record.clusters.values()),
        held_out_loss=held_out_loss,
        lora_bias=record.lora_bias,
        late=record.late,
        repeated=record.repeated,
    )


def _evaluation(held_out: HeldOut) -> Evaluation:
    return Evaluation(posts=held_out.posts, base_loss=held_out.before, loss=held_out.after)
