"""One order to several clusters: who is awaited, on which node, who is asked again and when. Decided from plain values.

A cluster that failed in a way that may pass is asked again after a pause, a few times. A cluster whose node is replaced is asked
again at once: the pod that held the order is gone then, even if Flower will miss its heartbeat only later. None of this gives a
cluster more time than the others have.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from fedspoke.api.records import Failure, Finished, Prepared, Preparing, Trained
from fedspoke.hub.aggregation.members import Answer
from fedspoke.hub.aggregation.rounds import GONE, at_work, said

PAUSES = (timedelta(seconds=5), timedelta(seconds=30))
"""Before the second and the third try: a trainer that was started anew has its model back by then."""

SILENT = (
    "it let a whole roundTimeout pass without an answer; "
    "until it gives one in time, no round waits for it once enough others have answered"
)


@dataclass(frozen=True, slots=True)
class Limit:
    """When an order's time is over, and what set that."""

    until: datetime
    why: str

    @classmethod
    def of(cls, now: datetime, timeout: timedelta, deadline: datetime) -> "Limit":
        """The end of a round that begins now, or of the federation, whichever comes first."""
        if now + timeout < deadline:
            return cls(now + timeout, "the end of spec.server.roundTimeout")
        return cls(deadline, "which is spec.deadline")


@dataclass(frozen=True, slots=True)
class Lost:
    """A cluster from which no answer counts."""

    reason: str
    passing: bool
    """Whether another attempt may succeed."""


@dataclass(slots=True)
class _Try:
    node: int
    at: datetime
    """When the order is sent."""
    number: int = 1
    sent: bool = False
    failed: str = ""
    """Why the try before failed."""


@dataclass(slots=True)
class Asking:
    """`clusters` are asked through these nodes from `begins` on. `step` moves it on; the fields say where it stands."""

    clusters: Mapping[str, int]
    begins: datetime
    limit: Limit
    silent_before: frozenset[str] = frozenset()
    """Those that were silent before, and not heard since."""
    answers: dict[str, Trained | Finished | Prepared] = field(default_factory=dict)
    lost: dict[str, Lost] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    """Those that had all of this time, and of which nothing was heard."""
    repeated: int = 0
    """Answers that came when none was awaited any more from their node."""
    _tries: dict[str, _Try] = field(init=False)
    _gone: set[str] = field(default_factory=set)
    """Those of the lost that are back when a node of theirs is."""

    def __post_init__(self) -> None:
        self._tries = {cluster: _Try(node, self.begins) for cluster, node in self.clusters.items()}

    @property
    def awaited(self) -> list[str]:
        """The clusters that may still answer."""
        return [cluster for cluster in self.clusters if cluster not in self.answers and cluster not in self.lost]

    def note(self, cluster: str) -> str:
        """Of a cluster that is awaited: why its last try failed and when it is asked again, or that it was silent before."""
        attempt = self._tries[cluster]
        if not attempt.failed:
            return SILENT if cluster in self.silent_before else ""
        return f"{attempt.failed}; asked again at {attempt.at:%H:%M:%S} UTC, try {attempt.number} of {len(PAUSES) + 1}"

    def step(
        self, now: datetime, ready: Mapping[str, int], online: Iterable[int], came: Iterable[tuple[int, Answer | str]]
    ) -> dict[str, int]:
        """What the moment brings.

        Args:
            now: The moment.
            ready: Cluster → the newest of its nodes that is ready.
            online: The nodes that are connected.
            came: Answers to this order; a text says why there is none.

        Returns:
            Cluster → node: to whom the order is to be sent now.
        """
        for node, answer in came:
            self._hear(node, answer, now)
        self._follow(ready, frozenset(online), now)
        if now >= self.limit.until:
            self.silent |= {cluster for cluster in self.awaited if self._tries[cluster].at == self.begins}
            for cluster in self.awaited:
                self._lose(cluster, f"no answer by {self.limit.until:%H:%M:%S} UTC, {self.limit.why}")
        return dict(self._due(now))

    def spare(self) -> None:
        """Enough have answered: if all that are still awaited were silent before, they are awaited no more."""
        if self.silent_before.issuperset(self.awaited):
            for cluster in self.awaited:
                self._lose(cluster, f"no answer yet: {SILENT}")

    def refuse(self, cluster: str, reason: str) -> None:
        """No answer of it counts: the one that was looked at, or any that it may still give."""
        self.answers.pop(cluster, None)
        self._gone.discard(cluster)
        self.lost[cluster] = Lost(reason, passing=False)

    def _hear(self, node: int, answer: Answer | str, now: datetime) -> None:
        cluster = next((name for name, attempt in self._tries.items() if attempt.node == node and attempt.sent), None)
        if cluster is None or not self._open(cluster):
            self.repeated += not isinstance(answer, str)
            return
        self._back(cluster)
        if isinstance(answer, Failure):
            self.silent_before -= {cluster}
            self._failed(cluster, Lost(said(answer), answer.passing), now)
        elif isinstance(answer, Preparing):  # which answers no such order
            self._failed(cluster, Lost(at_work(answer), passing=True), now)
        elif isinstance(answer, str):  # a process that was killed, a message that Flower lost
            self._failed(cluster, Lost(answer, passing=True), now)
        else:
            self.answers[cluster] = answer

    def _failed(self, cluster: str, lost: Lost, now: datetime) -> None:
        attempt = self._tries[cluster]
        if lost.passing and attempt.number <= len(PAUSES) and (at := now + PAUSES[attempt.number - 1]) < self.limit.until:
            self._tries[cluster] = _Try(attempt.node, at, attempt.number + 1, failed=lost.reason)
        else:
            self.lost[cluster] = lost

    def _follow(self, ready: Mapping[str, int], online: frozenset[int], now: datetime) -> None:
        """Nodes that come and go. A cluster that was lost with its node is back with it or with another."""
        for cluster, attempt in self._tries.items():
            if not self._open(cluster):
                continue
            if ready.get(cluster, attempt.node) != attempt.node:
                attempt.node, attempt.sent, attempt.at = ready[cluster], False, max(now, attempt.at)
                self._back(cluster)
            elif attempt.node in online:
                self._back(cluster)
            else:
                self._lose(cluster, GONE)
                self._gone.add(cluster)

    def _open(self, cluster: str) -> bool:
        """Whether an answer of the cluster would count."""
        return cluster not in self.answers and (cluster not in self.lost or cluster in self._gone)

    def _back(self, cluster: str) -> None:
        self._gone.discard(cluster)
        self.lost.pop(cluster, None)

    def _lose(self, cluster: str, reason: str) -> None:
        failed = self._tries[cluster].failed
        self.lost[cluster] = Lost(f"{reason}; before that, {failed}" if failed else reason, passing=True)

    def _due(self, now: datetime) -> Iterator[tuple[str, int]]:
        for cluster in self.awaited:
            attempt = self._tries[cluster]
            if not attempt.sent and attempt.at <= now:
                attempt.sent = True
                yield cluster, attempt.node
