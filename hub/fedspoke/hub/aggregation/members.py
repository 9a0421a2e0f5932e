"""The clusters' Flower nodes: whoever is new is asked whether it is ready, once, at any time of the run."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Protocol

from fedspoke.api.names import Platform
from fedspoke.api.records import AggregatorSettings, Failure, Prepared, PrepareOrder, Profiled, ProfileOrder, Trained, TrainOrder
from fedspoke.hub.aggregation import rounds

Order = PrepareOrder | TrainOrder | ProfileOrder
Answer = Prepared | Trained | Profiled | Failure


class Nodes(Protocol):
    """Orders go out, answers come in when they come. Flower's nodes do it; so do a test's lists."""

    def online(self) -> Iterable[int]:
        """The nodes that are connected."""

    def ask(self, node: int, order: Order, until: datetime) -> None:
        """Send an order that is of no use after `until`."""

    def answers(self) -> Iterable[tuple[int, Order, Answer]]:
        """What came since the last call. An order that Flower could not deliver is answered by a Failure without a cluster."""


class Members:
    """Who has come and what they said of themselves."""

    def __init__(self, settings: AggregatorSettings, nodes: Nodes) -> None:
        self._settings = settings
        self._nodes = nodes
        self._online: frozenset[int] = frozenset()
        self._prepared: dict[int, Prepared | Failure | None] = {}  # in the order in which the nodes came

    def look(self) -> list[tuple[int, Order, Answer]]:
        """Ask whoever is new; return the answers to all other orders."""
        self._online = frozenset(self._nodes.online())
        for node in [node for node, said in self._prepared.items() if node not in self._online and not (said and said.cluster)]:
            del self._prepared[node]  # it went before it said who it is; if it comes back, it is asked again
        for node in sorted(self._online - self._prepared.keys()):
            self._nodes.ask(node, PrepareOrder(run=self._settings.run), self._settings.deadline)
            self._prepared[node] = None
        others: list[tuple[int, Order, Answer]] = []
        for node, order, answer in self._nodes.answers():
            if isinstance(order, PrepareOrder) and isinstance(answer, Prepared | Failure):
                self._prepared[node] = answer
            else:
                others.append((node, order, answer))
        return others

    def standing(self, agreed: rounds.Layout) -> rounds.Standing:
        """Who is ready now. Of those that have gone, a failure is remembered and a readiness is not."""
        answers = (
            (node, said) for node, said in self._prepared.items() if isinstance(said, Failure) or (said and node in self._online)
        )
        return rounds.standing(self._settings.clusters, answers, self._settings.lora.rank, agreed)

    def posts(self, node: int) -> Mapping[Platform, int]:
        """What a node that is ready said of its cluster's data."""
        said = self._prepared[node]
        return said.posts if isinstance(said, Prepared) else {}

    def gone(self, node: int) -> bool:
        """Whether the node is not connected any more."""
        return node not in self._online
