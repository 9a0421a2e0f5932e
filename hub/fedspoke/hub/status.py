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
from fedspoke.hub.conditions import conditions
from fedspoke.hub.observed import UNREADY, Observed, unplaced
from fedspoke.hub.spent import spent

_SHOWN_ROUNDS = 20  # the status holds the last ones; rounds.jsonl holds all


def status(fl: FederatedLearning, seen: Observed, before: FederatedLearningStatus, now: datetime) -> FederatedLearningStatus:
    """The status to write: a function of what is seen, and of `before` only for when things began."""
    phase, message = _phase(fl, seen)
    measured = seen.progress.held_out if seen.progress else None
    held_out = held_out_losses(seen.rounds, measured.after if measured else None)
    return FederatedLearningStatus(
        phase=phase,
        message=f"{message}; but {seen.trouble}" if seen.trouble else message,
        listeners=[seen.listener] if seen.listener else [],
        observed_generation=fl.generation,
        start_time=before.start_time or now,
        completion_time=(before.completion_time or now) if phase in ENDED else None,
        conditions=conditions(fl, seen, before.conditions, now),
        rounds=Rounds(completed=seen.rounds[-1].round if seen.rounds else 0, total=fl.spec.server.rounds),
        clusters=[_cluster(name, seen) for name in seen.chosen],
        metrics=[_metrics(record, held_out.get(record.round)) for record in seen.rounds[-_SHOWN_ROUNDS:]],
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


def _phase(fl: FederatedLearning, seen: Observed) -> tuple[Phase, str]:
    if seen.failure:
        return "Failed", seen.failure
    if seen.progress and seen.progress.phase in ENDED:
        return seen.progress.phase, seen.progress.message
    missing = unplaced(fl, seen.decision)
    if missing and seen.progress is None:  # else it has begun, and goes on as long as a round finds its quorum
        return "Waiting", missing
    restarted = f"; the hub's {seen.hub_restarted}" if seen.hub_restarted else ""
    awaited = [it for it in seen.chosen if it in seen.restarted and seen.cluster(it).phase in UNREADY]
    ill = "".join(f"; {it}: {seen.restarted[it]}" for it in awaited)
    if seen.progress is None:
        return "Waiting", f"waiting for {seen.waits}{ill}" if seen.waits else f"the aggregator is starting{restarted}{ill}"
    waits = f"; but it waits for {seen.waits}" if seen.waits else ""
    phase = seen.progress.phase
    return phase, f"{seen.progress.message}{restarted}{waits}{ill if phase == 'Waiting' else ''}"


def _cluster(name: str, seen: Observed) -> ClusterStatus:
    progress, stopped = seen.cluster(name), seen.stopped.get(name)
    return ClusterStatus(
        name=name,
        platform=",".join(progress.posts or seen.platforms.get(name, ())),
        phase="Failed" if stopped else progress.phase,
        reason="; ".join(filter(None, (progress.reason or stopped, seen.restarted.get(name)))),
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
    )


def _evaluation(held_out: HeldOut) -> Evaluation:
    return Evaluation(posts=held_out.posts, base_loss=held_out.before, loss=held_out.after)
