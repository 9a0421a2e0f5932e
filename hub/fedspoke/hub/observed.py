"""What a controller sees of one federation at one moment."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from fedspoke.api.federated_learning import Artifact, FederatedLearning, ListenerStatus
from fedspoke.api.names import Platform
from fedspoke.api.records import ClusterProgress, Progress, RoundRecord
from fedspoke.placement.evaluate import Decision

UNREADY = ("Waiting", "Preparing")
"""A cluster that no round can ask yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """The placement, the aggregator's own account, and what stopped that should run."""

    decision: Decision
    undecided: bool = False
    """Whether OCM has yet to say whom it chooses."""
    platforms: Mapping[str, Sequence[Platform]] = field(default_factory=dict)
    listener: ListenerStatus | None = None
    progress: Progress | None = None
    rounds: tuple[RoundRecord, ...] = ()
    waits: str = ""
    """What the hub's part cannot start without, or why it does not run."""
    silent_since: datetime | None = None
    """Since when nothing is heard of an aggregator whose pod runs, if that is longer than it should be."""
    releases: Mapping[str, int] = field(default_factory=dict)
    """Cluster → how many noised adapters it has released, in all attempts at the federation."""
    stopped: Mapping[str, str] = field(default_factory=dict)
    """Cluster → why its collaborator no longer runs."""
    restarted: Mapping[str, str] = field(default_factory=dict)
    """Cluster → what of it ended lately and was started again, or does not run, and why."""
    hub_restarted: str = ""
    """The same of the hub's own part; a cluster may be called `hub`."""
    model: Artifact | None = None
    profile: Artifact | None = None
    trouble: str = ""
    """What the hub's API server does not do for it, if that may pass."""
    failure: str | None = None
    """What ended the federation, where the aggregator could not say it itself."""

    @property
    def chosen(self) -> list[str]:
        """The clusters that the placement chose."""
        return [name for name, _ in self.decision.decisions]

    def cluster(self, name: str) -> ClusterProgress:
        """What the aggregator says of one chosen cluster."""
        return self.progress.clusters.get(name, ClusterProgress()) if self.progress else ClusterProgress()

    def lost(self) -> dict[str, str]:
        """The chosen clusters that have failed or stopped, and why."""
        failed = {name: self.cluster(name).reason for name in self.chosen if self.cluster(name).phase == "Failed"}
        return failed | dict(self.stopped)


_GROUPS, _NAMES = 10, 3
"""Reasons and clusters of each that a sentence names; a hub may have thousands. `fedspoke place` tells all of them."""


def _grouped(rejected: Iterable[tuple[str, str]]) -> str:
    """`berlin, lyon and 5 more: no label region=mars; oslo: …`, that of most clusters first."""
    groups: dict[str, list[str]] = {}
    for name, reason in rejected:
        groups.setdefault(reason, []).append(name)
    largest = sorted(groups.items(), key=lambda it: -len(it[1]))
    said = [f"{_some(names)}: {reason}" for reason, names in largest[:_GROUPS]]
    rest = sum(len(names) for _, names in largest[_GROUPS:])
    return "; ".join([*said, *([f"{rest} more clusters for other reasons"] if rest else [])])


def _some(names: Sequence[str]) -> str:
    more = len(names) - _NAMES
    return ", ".join(names[:_NAMES]) + (f" and {more} more" if more > 0 else "")


def unplaced(fl: FederatedLearning, decision: Decision) -> str | None:
    """Why too few clusters were chosen, in one sentence; None when there are enough."""
    chosen, needed = len(decision.decisions), fl.spec.server.min_available_clients
    if chosen >= needed:
        return None
    names = ", ".join(name for name, _ in decision.decisions)
    reasons = _grouped(decision.rejected) or decision.problem
    if not (chosen or reasons):
        reasons = "no ManagedCluster is there"
    return (
        f"{chosen or 'no'} cluster{'s' if chosen > 1 else ''} qualif{'y' if chosen > 1 else 'ies'}"
        f"{f' ({names})' if names else ''}, but spec.server.minAvailableClients is {needed}"
        f"{f' — {reasons}' if reasons else ''}"
    )
