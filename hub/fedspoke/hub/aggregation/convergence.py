"""When more rounds are of no more use: early stopping (Prechelt 1998, "Early stopping, but when?") on each cluster's loss.

What is watched is the global adapter: its loss on the posts that a cluster holds out, measured at the start of each round. The
loss of training takes its place where a cluster holds nothing out.
"""

from collections.abc import Sequence

from fedspoke.api.aggregation import Convergence
from fedspoke.api.federated_learning import Server
from fedspoke.api.records import RoundRecord


def over(server: Server, records: Sequence[RoundRecord]) -> str | None:
    """Why no round follows these, in one sentence; None if one does."""
    done = records[-1].round if records else 0
    if done >= server.rounds:
        return f"{done} round{'s are' if done > 1 else ' is'} done"
    why = converged(server.convergence, records) if server.convergence else None
    return f"converged after round {done} of {server.rounds}: {why}" if why else None


def converged(rule: Convergence, records: Sequence[RoundRecord]) -> str | None:
    """Which loss has not improved, and for how long; None as long as the rule is not met by the last round's clusters."""
    clusters = list(records[-1].clusters) if records else []
    still = [cluster for cluster in clusters if _stale(_losses(cluster, records), rule.min_delta) >= rule.patience]
    if not still or (rule.method == "all" and len(still) < len(clusters)):
        return None
    rounds = "round" if rule.patience == 1 else f"{rule.patience} rounds"
    return f"the loss of {', '.join(still)} has not improved by {rule.min_delta:g} in the last {rounds}"


def _losses(cluster: str, records: Sequence[RoundRecord]) -> list[float]:
    """One for each round that the cluster took part in; of one kind, since two kinds do not compare."""
    parts = [record.clusters[cluster] for record in records if cluster in record.clusters]
    held_out = [part.held_out.before for part in parts if part.held_out]
    return held_out if parts[-1].held_out else [part.loss for part in parts]


def _stale(losses: Sequence[float], min_delta: float) -> int:
    """Rounds since the last improvement on the best loss; small ones count together once they are large enough."""
    best, since = losses[0], 0
    for loss in losses[1:]:
        improved = loss < best and best - loss >= min_delta
        best, since = (loss, 0) if improved else (best, since + 1)
    return since
