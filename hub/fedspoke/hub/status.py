"""What a FederatedLearning says of itself, as a pure function of what is seen: one phase, one sentence, honest conditions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from fedspoke.api.federated_learning import (
    Artifact,
    ClusterStatus,
    Condition,
    FederatedLearning,
    FederatedLearningStatus,
    ListenerStatus,
    Phase,
    RoundMetrics,
    Rounds,
)
from fedspoke.api.names import Platform
from fedspoke.api.records import ClusterProgress, Progress, RoundRecord
from fedspoke.placement.evaluate import Decision

_SHOWN_ROUNDS = 20  # the status holds the last ones; rounds.jsonl holds all


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What the controller saw: the placement, the aggregator's own account, and what stopped that should run."""

    decision: Decision
    platforms: Mapping[str, Sequence[Platform]] = field(default_factory=dict)
    listener: ListenerStatus | None = None
    progress: Progress | None = None
    rounds: tuple[RoundRecord, ...] = ()
    stopped: Mapping[str, str] = field(default_factory=dict)
    model: Artifact | None = None
    profile: Artifact | None = None
    failure: str | None = None


def status(fl: FederatedLearning, seen: Observed, before: FederatedLearningStatus, now: datetime) -> FederatedLearningStatus:
    """The status to write: a function of what is seen, and of `before` only for when things began."""
    phase, message = _phase(fl, seen)
    finished = phase in ("Completed", "Failed")
    return FederatedLearningStatus(
        phase=phase,
        message=message,
        listeners=[seen.listener] if seen.listener else [],
        observed_generation=fl.generation,
        start_time=before.start_time or now,
        completion_time=(before.completion_time or now) if finished else None,
        conditions=_conditions(fl, seen, before, now),
        rounds=Rounds(completed=len(seen.rounds), total=fl.spec.server.rounds),
        clusters=[_cluster(name, seen) for name, _ in seen.decision.decisions],
        metrics=[_metrics(record) for record in seen.rounds[-_SHOWN_ROUNDS:]],
        model=seen.model,
        profile=seen.profile,
    )


def unplaced(fl: FederatedLearning, decision: Decision) -> str | None:
    """Why too few clusters were chosen, in one sentence; None when there are enough."""
    chosen, needed = len(decision.decisions), fl.spec.server.min_available_clients
    if chosen >= max(needed, 1):
        return None
    names = ", ".join(name for name, _ in decision.decisions)
    reasons = "; ".join(f"{name}: {reason}" for name, reason in decision.rejected)
    return (
        f"{chosen or 'no'} cluster{'s' if chosen > 1 else ''} qualif{'y' if chosen > 1 else 'ies'}"
        f"{f' ({names})' if names else ''}, but spec.server.minAvailableClients is {needed}"
        f"{f' — {reasons}' if reasons else ''}"
    )


def _phase(fl: FederatedLearning, seen: Observed) -> tuple[Phase, str]:
    if seen.failure:
        return "Failed", seen.failure
    if seen.progress and seen.progress.phase in ("Completed", "Failed"):
        return seen.progress.phase, seen.progress.message
    missing = unplaced(fl, seen.decision)
    if missing:
        return "Waiting", missing
    if seen.progress is None:
        return "Waiting", "the aggregator is starting"
    return seen.progress.phase, seen.progress.message


def _conditions(fl: FederatedLearning, seen: Observed, before: FederatedLearningStatus, now: datetime) -> list[Condition]:
    since: dict[str, Condition] = {condition.type: condition for condition in before.conditions}
    found: list[Condition] = []

    def add(kind: str, state: Literal["True", "False", "Unknown"], reason: str, message: str) -> None:
        old = since.get(kind)
        changed = old is None or old.status != state
        found.append(
            Condition.model_validate(
                {
                    "type": kind,
                    "status": state,
                    "reason": reason,
                    "message": message,
                    "lastTransitionTime": now if changed or old is None else old.last_transition_time,
                    "observedGeneration": fl.generation,
                }
            )
        )

    missing, progress = unplaced(fl, seen.decision), seen.progress
    chosen = ", ".join(name for name, _ in seen.decision.decisions)
    if missing:
        add("PlacementSatisfied", "False", "TooFewClusters", missing)
    else:
        add("PlacementSatisfied", "True", "ClustersChosen", f"chosen: {chosen}")
    add(
        "AggregatorReady",
        *(("True", "Running", "the aggregator answers") if progress else ("False", "Starting", "not yet heard of")),
    )
    clusters = progress.clusters if progress else {}
    waiting = [
        name for name, _ in seen.decision.decisions if clusters.get(name, ClusterProgress()).phase in ("Waiting", "Preparing")
    ]
    lost = {name: c.reason for name, c in clusters.items() if c.phase == "Failed"} | dict(seen.stopped)
    if waiting:
        add("CollaboratorsReady", "False", "Waiting", f"not ready yet: {', '.join(waiting)}")
    else:
        add("CollaboratorsReady", "False" if missing else "True", "Prepared", "every chosen cluster has answered")
    total, done = fl.spec.server.rounds, len(seen.rounds)
    running = progress is not None and progress.phase == "Running" and not seen.failure
    add("Training", "True" if running and done < total else "False", "Rounds", f"{done} of {total} rounds are done")
    if seen.model:
        add("ModelSaved", "True", "Saved", f"the global adapter is {seen.model.uri}")
    else:
        add("ModelSaved", "False", "NotYet", "the global adapter is saved after the last round")
    if not fl.spec.profiles.enabled:
        add("ProfilesFused", "False", "NotWanted", "spec.profiles.enabled is false")
    elif seen.profile:
        add("ProfilesFused", "True", "Fused", f"the general profile is {seen.profile.uri}")
    else:
        add(
            "ProfilesFused",
            "False",
            "NotFused" if progress and progress.fused else "NotYet",
            (progress and progress.fused) or "profiles follow the last round",
        )
    if lost or seen.failure:
        add(
            "Degraded",
            "True",
            "ClusterLost" if lost else "Failed",
            "; ".join(f"{n}: {r}" for n, r in lost.items()) or seen.failure or "",
        )
    else:
        add("Degraded", "False", "AsExpected", "nothing is missing")
    return found


def _cluster(name: str, seen: Observed) -> ClusterStatus:
    progress = seen.progress.clusters.get(name, ClusterProgress()) if seen.progress else ClusterProgress()
    stopped = seen.stopped.get(name)
    return ClusterStatus(
        name=name,
        platform=",".join(progress.posts or seen.platforms.get(name, ())),
        phase="Failed" if stopped else progress.phase,
        reason=progress.reason or stopped or "",
        posts=sum(progress.posts.values()) if progress.posts else None,
        last_round=progress.last_round,
        loss=progress.loss,
    )


def _metrics(record: RoundRecord) -> RoundMetrics:
    return RoundMetrics(
        round=record.round,
        loss=record.loss,
        clusters=len(record.clusters),
        seconds=record.seconds,
        bytes_in=sum(cluster.bytes_in for cluster in record.clusters.values()),
        bytes_out=sum(cluster.bytes_out for cluster in record.clusters.values()),
        lora_bias=record.lora_bias,
    )
