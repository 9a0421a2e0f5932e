"""The clusters' Flower nodes: whoever is new is asked whether it is ready, at any time of the run.

What a node says counts for the cluster under whose certificate the node presented its ticket, and for no other.
"""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from fedspoke.api.names import Platform
from fedspoke.api.records import (
    AggregatorSettings,
    Failure,
    Finished,
    FinishOrder,
    Prepared,
    PrepareOrder,
    Preparing,
    Trained,
    TrainOrder,
)
from fedspoke.hub.aggregation import rounds
from fedspoke.hub.aggregation.tickets import Tickets

Order = PrepareOrder | TrainOrder | FinishOrder
Answer = Prepared | Preparing | Trained | Finished | Failure

log = logging.getLogger("fedspoke")

PAUSES = (timedelta(seconds=5), timedelta(seconds=30), timedelta(minutes=2), timedelta(minutes=5))
"""Before a node that is not ready, and might be, is asked again; after the last of them its failure is final."""

_LOOK = timedelta(seconds=10)
"""Before a node that says which step it is at is asked again, as often as it takes."""

_STEPS: dict[type[Order], str] = {PrepareOrder: "prepare", TrainOrder: "train", FinishOrder: "finish"}
_MOST = 16  # nodes for each chosen cluster: its pod, and those before it that Flower has not missed yet


class Nodes(Protocol):
    """Orders go out, answers come in when they come. Flower's nodes do it; so do a test's lists."""

    def online(self) -> Iterable[int]:
        """The nodes that are connected."""

    def ask(self, node: int, order: Order) -> None:
        """Send an order."""

    def answers(self) -> Iterable[tuple[int, Order, Answer | str]]:
        """What came since the last call; a text says why an order has no answer."""


@dataclass
class _Node:
    asked: int = 0
    again: datetime | None = None
    """When it is asked again; None: it is being asked, or has said its last word."""
    said: Prepared | Preparing | Failure | None = None
    unheard: str = ""
    """Why the last thing that came from it is nobody's answer."""


class Members:
    """Who has come and what they said of themselves."""

    def __init__(self, settings: AggregatorSettings, nodes: Nodes, tickets: Tickets) -> None:
        self._settings = settings
        self._nodes = nodes
        self._tickets = tickets
        self._online: frozenset[int] = frozenset()
        self._known: dict[int, _Node] = {}  # in the order in which they came
        self._crowd = 0

    def follow(self, settings: AggregatorSettings) -> None:
        """Other clusters are chosen; who has come and what they said stays."""
        self._settings = settings

    @property
    def online(self) -> frozenset[int]:
        """The nodes that are connected."""
        return self._online

    def look(self, now: datetime) -> list[tuple[int, Order, Answer | str]]:
        """Ask whoever is new or is to be asked again; return the answers to all other orders, or why there are none."""
        self._online = frozenset(self._nodes.online())
        for node in [node for node, known in self._known.items() if node not in self._online and known.said is None]:
            self._forget(node)  # it went before it said who it is; if it comes back, it is asked again
        for node in self._newcomers():
            self._known[node] = _Node(again=now)
        for node, known in self._known.items():
            if known.again and known.again <= now and node in self._online:
                known.asked, known.again = known.asked + 1, None
                self._nodes.ask(node, self._order(node))
        others: list[tuple[int, Order, Answer | str]] = []
        for node, order, answer in self._nodes.answers():
            certified = self._certified(node, order, answer)
            if not isinstance(order, PrepareOrder):
                others.append((node, order, certified))
            elif node in self._known and order == self._order(node):  # else it was forgotten meanwhile
                self._hear(node, certified, now)
        return others

    def standing(self, agreed: rounds.Layout) -> rounds.Standing:
        """Who is ready now. Of those that have gone, a failure for good is remembered and nothing else."""
        answers = (
            (node, known.said)
            for node, known in self._known.items()
            if known.said and (node in self._online or (isinstance(known.said, Failure) and not known.said.passing))
        )
        return rounds.standing(self._settings.clusters, answers, self._settings.lora, agreed)

    def posts(self, node: int) -> Mapping[Platform, int]:
        """What a node that is ready said of its cluster's data."""
        said = self._known[node].said
        return said.posts if isinstance(said, Prepared) else {}

    def remark(self, node: int) -> str:
        """What a node that is ready remarked on it."""
        said = self._known[node].said
        return said.remark if isinstance(said, Prepared) else ""

    def unheard(self) -> str:
        """Why the newest of the nodes that said nothing of use said nothing of use; empty if there is none."""
        reasons = [known.unheard for known in self._known.values() if known.said is None and known.unheard]
        return reasons[-1] if reasons else ""

    def _newcomers(self) -> list[int]:
        new = sorted(self._online - self._known.keys())
        room = max(0, _MOST * len(self._settings.clusters) - len(self._known))
        crowd = len(new[room:])
        if crowd > self._crowd:
            most, clusters = _MOST * len(self._settings.clusters), len(self._settings.clusters)
            log.warning(
                "%d Flower nodes are not asked: there are %d already, and %d chosen clusters need no more", crowd, most, clusters
            )
        self._crowd = crowd
        return new[:room]

    def _order(self, node: int) -> PrepareOrder:
        return PrepareOrder(run=self._settings.run, until=self._settings.deadline, ticket=self._tickets.of(node))

    def _certified(self, node: int, order: Order, answer: Answer | str) -> Answer | str:
        """The answer if its node is of the cluster that it names; else the failure of that node's own cluster, if it has one."""
        cluster = self._tickets.cluster(node)
        if isinstance(answer, str) or answer.cluster == cluster:
            return answer
        because = f" ({answer.message})" if isinstance(answer, Failure) else ""
        if not cluster:
            return f"a node that calls itself {answer.cluster}{because} has not presented its ticket under a certificate"
        message = f"a node of {cluster} calls itself {answer.cluster}{because}"
        return Failure(cluster=cluster, step=_STEPS[type(order)], message=message)

    def _hear(self, node: int, answer: Answer | str, now: datetime) -> None:
        known, cluster = self._known[node], self._tickets.cluster(node)
        if isinstance(answer, Prepared):
            known.said, known.unheard = answer, ""
        elif isinstance(answer, Preparing):
            known.said, known.unheard, known.again = answer, "", now + _LOOK
            known.asked -= 1  # it has failed in nothing
        elif isinstance(answer, Failure):
            known.said, known.unheard = self._fail(known, answer, now), ""
        else:
            known.unheard = answer if isinstance(answer, str) else f"{cluster} answered another order than the one to prepare"
            log.warning("node %d, asked %d of %d times: %s", node, known.asked, len(PAUSES) + 1, known.unheard)
            failure = self._fail(known, Failure(cluster=cluster, step="prepare", message=known.unheard, passing=True), now)
            known.said = failure if cluster else None
        if cluster:
            self._succeed(node, cluster)

    def _fail(self, known: _Node, failure: Failure, now: datetime) -> Failure:
        """The failure, with when it is asked again, if it may pass and was not seen too often."""
        if not failure.passing:
            return failure
        if known.asked > len(PAUSES):
            return failure.model_copy(
                update={"passing": False, "message": f"{failure.message}; it was tried {known.asked} times"}
            )
        known.again = now + PAUSES[known.asked - 1]
        tries = f"asked again at {known.again:%H:%M:%S} UTC, try {known.asked + 1} of {len(PAUSES) + 1}"
        return failure.model_copy(update={"message": f"{failure.message}; {tries}"})

    def _succeed(self, node: int, cluster: str) -> None:
        """Nodes of the cluster that have gone need not be remembered any more."""
        for other, known in list(self._known.items()):
            if other != node and other not in self._online and known.said and known.said.cluster == cluster:
                self._forget(other)

    def _forget(self, node: int) -> None:
        del self._known[node]
        self._tickets.forget(node)
