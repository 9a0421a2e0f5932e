"""The clusters as the loop meets them: it gathers those that are ready, gives them an order, and hears them.

Whatever is waited for is said in the account: what, whom, since when and until when, and of each cluster how it stands.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime
from types import MappingProxyType

from fedspoke.api.errors import Failed
from fedspoke.api.federated_learning import MAY_CHANGE
from fedspoke.api.records import AggregatorSettings, FinishOrder, Trained, TrainOrder
from fedspoke.hub.aggregation import rounds
from fedspoke.hub.aggregation.asking import Asking, Limit, Lost
from fedspoke.hub.aggregation.members import Answer, Members, Nodes
from fedspoke.hub.aggregation.progress import Account, waiting
from fedspoke.hub.aggregation.releases import Releases
from fedspoke.hub.aggregation.tickets import Tickets

POLL = 0.3
"""Seconds between two looks at what came; Flower's own loop takes 3."""

Orders = Mapping[str, TrainOrder] | Mapping[str, FinishOrder]
"""By cluster: they differ in the adapter that they name."""

NOBODY: Mapping[str, Lost] = MappingProxyType({})


class Assembly:
    """Who is there. Time comes in as `now` and `wait`, what is asked for by then as `told`."""

    def __init__(
        self,
        told: Callable[[], AggregatorSettings],
        nodes: Nodes,
        tickets: Tickets,
        releases: Releases,
        account: Account,
        now: Callable[[], datetime],
        wait: Callable[[float], None],
    ) -> None:
        self.settings = told()
        """As of the last look, what may change of them."""
        self._asked = told
        self._nodes = nodes
        self._members = Members(self.settings, nodes, tickets)
        self._releases = releases
        self._account = account
        self._now = now
        self._wait = wait
        self._told: dict[str, int] = {}  # cluster → the node that the account speaks of
        self._late = 0
        self.layout: rounds.Layout = ()
        """The one that all have agreed on, once some were ready."""
        self.standing = self._members.standing(())
        """As of the last look."""
        self.posts: dict[str, int] = {}
        """Cluster → how many it had when it was last ready."""
        self.silent: frozenset[str] = frozenset()
        """Those that let a whole order's time pass in silence, and have answered none in time since."""

    def gather(
        self,
        what: str,
        enough: Callable[[], int],
        until: Callable[[], Limit],
        *,
        done: Collection[str] = (),
        lost: Mapping[str, Lost] = NOBODY,
    ) -> Mapping[str, int]:
        """Cluster → node of all that are ready, as soon as these are enough.

        Args:
            what: What needs them.
            enough: How many; whoever waits may be helped by a smaller number, or by another cluster.
            until: Until when.
            done: The clusters that have done their part already, ready or not; they count.
            lost: Those that were lost for it before; whom nothing that passes took cannot do it any more.

        Raises:
            Failed: there will not be enough, or not in time.
        """
        since = self._now()
        out = {name: why.reason for name, why in lost.items() if not why.passing}
        before = {name: why.reason for name, why in lost.items() if why.passing}
        while True:
            self._follow()
            clusters, need, limit = self.settings.clusters, enough(), until()
            self._look({})
            ready = {name: node for name, node in self.standing.ready.items() if name not in out}
            failed = {name: why for name, why in {**self.standing.failed, **out}.items() if name not in done}
            if rounds.hopeless(clusters, failed, need):
                raise Failed(rounds.shortage(what, need, clusters, failed))
            missing = need - len(ready.keys() | set(done))
            if missing <= 0:
                self.layout = self.standing.layout
                return ready
            awaited = [name for name in clusters if name not in ready and name not in failed and name not in done]
            if self._now() >= limit.until:
                reasons, late = (
                    before | dict(self.standing.again),
                    f"not ready by {limit.until:%Y-%m-%d %H:%M:%S} UTC, {limit.why}",
                )
                absent = {name: f"{late} ({reasons[name]})" if name in reasons else late for name in awaited}
                raise Failed(rounds.shortage(what, need, clusters, {**failed, **absent}) + self._unheard())
            needed = f"{missing} more of the {need} cluster{'s that are' if need > 1 else ' that is'} needed to be ready"
            self._account.say(waiting(needed, awaited, since, limit.until) + self._unheard(), phase="Waiting")
            self._wait(POLL)

    def ask(self, asking: Asking, orders: Orders, what: str, clear: Callable[[str], None]) -> Iterator[None]:
        """Sends the orders. After each look at what came, the caller may judge what `asking` holds, and stop.

        Args:
            asking: Who is asked; it is moved on.
            orders: By cluster.
            what: What is waited for.
            clear: Called with each cluster before it is sent its order, for the first time or again.
        """
        while True:
            came = self._look(orders)
            sent = asking.step(self._now(), self.standing.ready, self._members.online, came)
            self.silent |= asking.silent
            for cluster, node in sent.items():
                self._told[cluster] = node
                clear(cluster)
                self._nodes.ask(node, orders[cluster])
            yield
            if not asking.awaited:
                return
            if not sent:  # else some may have answered meanwhile
                self._account.say(waiting(what, asking.awaited, asking.begins, asking.limit.until), phase="Running")
                self._wait(POLL)

    def late(self) -> int:
        """Answers to earlier orders to train that came since the last call, when they were of no more use."""
        late, self._late = self._late, 0
        return late

    def _follow(self) -> None:
        """What is asked for from now on; the updates of clusters that were chosen before stay in the adapter."""
        told, before = self._asked(), self.settings
        server = before.server.model_copy(update={name: getattr(told.server, name) for name in MAY_CHANGE})
        changed = {"clusters": told.clusters, "deadline": told.deadline, "server": server}
        self.settings = before.model_copy(update=changed)
        if self.settings.clusters != before.clusters:
            self._members.follow(self.settings)
            self._account.follow(self.settings.clusters)

    def _look(self, orders: Orders) -> list[tuple[int, Answer | str]]:
        """What came to these orders; new nodes are asked to be ready meanwhile."""
        came: list[tuple[int, Answer | str]] = []
        for node, order, answer in self._members.look(self._now()):
            if not isinstance(answer, str) and self._now() < order.until:
                self.silent -= {answer.cluster}
            if isinstance(answer, Trained):  # also what is late or refused below has left the cluster
                self._releases.said(answer.cluster, answer.ledger, answer.releases, answer.digest)
            if order in orders.values():
                came.append((node, answer))
            elif isinstance(order, TrainOrder):
                self._late += not isinstance(answer, str)
        self.standing = self._members.standing(self.layout)
        for cluster, node in self.standing.ready.items():
            self.posts[cluster] = sum(self._members.posts(node).values())
        self._tell(orders)
        return came

    def _tell(self, orders: Orders) -> None:
        """How those stand that are not at work on an order; what was last said of a cluster stands while its node is there."""
        failed, again, ready = self.standing.failed, self.standing.again, self.standing.ready
        for cluster in self.settings.clusters:
            if cluster in orders:
                continue
            if cluster in failed:
                self._account.cluster(cluster, phase="Failed", reason=failed[cluster])
            elif cluster in again:
                self._account.cluster(cluster, phase="Preparing", reason=again[cluster])
            elif cluster not in ready and self._told.pop(cluster, None) is not None:
                self._account.cluster(cluster, phase="Failed", reason=rounds.GONE)
            elif cluster in ready and self._told.get(cluster) != ready[cluster]:
                self._told[cluster] = ready[cluster]
                node = ready[cluster]
                remark, posts = self._members.remark(node), self._members.posts(node)
                self._account.cluster(cluster, phase="Ready", reason="", remark=remark, posts=posts)

    def _unheard(self) -> str:
        reason = self._members.unheard()
        return f"; an answer counts for no cluster: {reason}" if reason else ""
