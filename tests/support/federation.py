"""A federation without Flower: nodes that hold lists, a clock that moves when it is waited for, the real exchange and sum."""

import base64
import hashlib
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from fedspoke.api.errors import Failed
from fedspoke.api.federated_learning import AdapterPrivacy, Lora, Server
from fedspoke.api.names import Platform, identity
from fedspoke.api.records import (
    AggregatorSettings,
    Failure,
    Finished,
    FinishOrder,
    HeldOut,
    Prepared,
    PrepareOrder,
    Trained,
    TrainOrder,
)
from fedspoke.hub.aggregation import releases
from fedspoke.hub.aggregation.exchange import Exchange
from fedspoke.hub.aggregation.federation import Federation
from fedspoke.hub.aggregation.members import Answer, Order
from fedspoke.hub.aggregation.progress import Account
from fedspoke.hub.aggregation.releases import Releases
from fedspoke.hub.aggregation.rounds import Layout
from fedspoke.hub.aggregation.state import State
from fedspoke.hub.aggregation.tickets import Tickets
from fedspoke.hub.aggregation.uploads import Uploads
from support import adapters, profiles

_LAYOUT = adapters.layout()
START = datetime(2026, 1, 1, 12, tzinfo=UTC)
NOISED = AdapterPrivacy(mechanism="gaussian", noise_multiplier=1)


def settings(folder: Path, clusters: Iterable[str] = ("cluster1", "cluster2"), **changes: object) -> AggregatorSettings:
    """Two rounds of two clusters, an hour's time, no profiles; `server` fields and others as told."""
    server = {"rounds": 2, "min_available_clients": 2, "round_timeout": timedelta(minutes=1)}
    server |= {name: changes.pop(name) for name in list(changes) if name in Server.model_fields}
    told = {
        "run": "test.run",
        "clusters": tuple(clusters),
        "server": Server.model_validate(server),
        "lora": Lora(rank=2),
        "model": "tiny",
        "holdout": False,
        "profiles": False,
        "state": str(folder),
        "superlink_port": 1,
        "adapters_port": 2,
        "fusion": "127.0.0.1:3",
        "deadline": START + timedelta(hours=1),
    }
    return AggregatorSettings.model_validate(told | changes)


def tickets() -> Tickets:
    """Their tickets are numbers."""
    number = itertools.count(1)
    return Tickets(lambda: f"ticket-{next(number)}")


@dataclass
class Clock:
    """Time that passes when somebody waits."""

    time: datetime = START
    later: list[tuple[datetime, Callable[[], object]]] = field(default_factory=list)
    """What happens then."""

    def now(self) -> datetime:
        return self.time

    def wait(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)
        for moment, happens in [entry for entry in self.later if entry[0] <= self.time]:
            self.later.remove((moment, happens))
            happens()


class Nodes:
    """Flower nodes that answer at once, each as its function says; None is silence, a text is why there is no answer."""

    def __init__(self, **clusters: Callable[[Order], Answer | str | None]) -> None:
        self.connected: dict[int, Callable[[Order], Answer | str | None]] = dict(enumerate(clusters.values(), 1))
        self.asked: list[tuple[int, Order]] = []
        self._answers: list[tuple[int, Order, Answer | str]] = []

    def online(self) -> Iterable[int]:
        return self.connected

    def ask(self, node: int, order: Order) -> None:
        self.asked.append((node, order))
        if (answer := self.connected[node](order)) is not None:
            self._answers.append((node, order, answer))

    def send(self, node: int, order: Order, answer: Answer | str) -> None:
        """An answer comes, asked for or not."""
        self._answers.append((node, order, answer))

    def answers(self) -> Iterable[tuple[int, Order, Answer | str]]:
        came, self._answers = self._answers, []
        return came


@dataclass
class Cluster:
    """A collaborator that trains by setting all values of the adapter to `value` times the round."""

    name: str
    exchange: Exchange
    value: float = 1.0
    examples: int = 1
    layout: Layout = _LAYOUT
    unready: str | None = None
    fails: dict[int, str] = field(default_factory=dict)  # round: with which sentence
    stumbles: dict[int, int] = field(default_factory=dict)  # round (0: to be ready): how often, before it succeeds
    silent: set[int] = field(default_factory=set)
    loss: Callable[[int], float] = lambda number: 1 / number
    """Of training in a round."""
    held_out: Callable[[int], float] | None = None
    """Loss of the global adapter that a round starts from, on 1 post; of the base model, for round 1."""
    leaves: Layout | None = None
    """The tensors of its uploads; None: all that it has."""
    uploads: bool = True
    left: bytes = b""
    """The adapter that it trained last."""
    shares: bool = True
    says: Callable[[int], int] = lambda number: number
    """How many noised adapters have left it, in a round."""
    certificate: str | None = ""
    """Under whose name it presents its ticket; None: it does not; empty: its own."""

    def __call__(self, order: Order) -> Answer | None:
        match order:
            case PrepareOrder():
                if self.certificate is not None:
                    self.exchange.tickets.present(order.ticket, self.certificate or self.name)
                    self.exchange.uploads.welcome(self.certificate or self.name)
                return self._prepare()
            case TrainOrder():
                return None if order.round in self.silent else self._train(order)
            case FinishOrder():
                if failure := self._stumble("finish", order.round + 1):
                    return failure
                worth = self._held_out(1, order.round + 1)
                if self.shares:
                    return Finished(cluster=self.name, shared=("facebook",), held_out=worth)
                refused: dict[Platform, str] = {"facebook": "5 posts are fewer than 20"}
                return Finished(cluster=self.name, shared=(), refused=refused, held_out=worth)

    def _stumble(self, step: str, number: int) -> Failure | None:
        if self.stumbles.get(number, 0) <= 0:
            return None
        self.stumbles[number] -= 1
        return Failure(cluster=self.name, step=step, message="mcp-server was started anew", passing=True)

    def _held_out(self, before: int, after: int) -> HeldOut | None:
        return HeldOut(posts=1, before=self.held_out(before), after=self.held_out(after)) if self.held_out else None

    def _prepare(self) -> Prepared | Failure:
        if failure := self._stumble("prepare", 0):
            return failure
        if self.unready:
            return Failure(cluster=self.name, step="prepare", message=self.unready)
        return Prepared(cluster=self.name, posts={"facebook": 5}, layout=self.layout)

    def _train(self, order: TrainOrder) -> Trained | Failure:
        if order.round in self.fails:
            return Failure(cluster=self.name, step="train", message=self.fails[order.round])
        if failure := self._stumble("train", order.round):
            return failure
        scratch = self.exchange.uploads._folder / f"scratch-{self.name}"
        content = adapters.save(adapters.filled(self.leaves or self.layout, self.value * order.round), scratch).read_bytes()
        self.left = content
        digest = hashlib.sha256(content)
        if self.uploads:
            assert upload(self.exchange, self.name, order.round, content, self.examples) == 201
        return Trained(
            cluster=self.name,
            round=order.round,
            digest=digest.hexdigest(),
            examples=self.examples,
            loss=self.loss(order.round),
            seconds=1,
            held_out=self._held_out(order.round, order.round + 1),
            releases=self.says(order.round),
        )


def upload(exchange: Exchange, cluster: str, number: int, content: bytes, examples: int) -> int:
    """As the gateway hands it on; returns the status."""
    headers = {
        "x-forwarded-client-cert": f"URI={identity('hub', cluster)}",
        "content-digest": f"sha-256=:{base64.b64encode(hashlib.sha256(content).digest()).decode()}:",
        "fedspoke-examples": str(examples),
    }
    answer = TestClient(exchange.app).put(f"/v1/runs/test.run/rounds/{number}/adapter", content=content, headers=headers)
    return int(answer.status_code)


def withdraw(exchange: Exchange, cluster: str) -> int:
    """As the agent of the cluster does, through the gateway; returns the status."""
    headers = {"x-forwarded-client-cert": f"URI={identity('hub', cluster)}"}
    return int(TestClient(exchange.app).delete("/v1/runs/test.run/adapter", headers=headers).status_code)


@dataclass
class Site:
    """Everything of one federation, ready to run."""

    told: AggregatorSettings
    nodes: Nodes = field(default_factory=Nodes)
    clock: Clock = field(default_factory=Clock)
    general_profile: Callable[[], bytes] = lambda: profiles.general(["cluster1"]).model_dump_json(by_alias=True).encode()

    def __post_init__(self) -> None:
        folder = Path(self.told.state)
        self.releases = Releases(folder / releases.FILE, self.told.privacy)
        self.exchange = Exchange(self.told.run, Uploads(folder / "exchange", self.releases), tickets())
        self.state = State(folder)
        self.account = Account(folder / "progress.json", self.told.clusters)

    def join(self, name: str, **how: Any) -> int:
        """A cluster's node appears."""
        node = len(self.nodes.connected) + 1
        self.nodes.connected[node] = Cluster(name, self.exchange, **how)
        return node

    def run(self) -> None:
        Federation(
            told=lambda: self.told,
            nodes=self.nodes,
            tickets=self.exchange.tickets,
            uploads=self.exchange.uploads,
            releases=self.releases,
            state=self.state,
            account=self.account,
            general_profile=self.general_profile,
            now=self.clock.now,
            wait=self.clock.wait,
        ).run()

    def released(self) -> dict[str, int]:
        """How many noised adapters each cluster has released, as whoever reads the account is told."""
        return releases.counts(Path(self.told.state) / releases.FILE)

    def failure(self) -> str:
        """Run it to the sentence with which it fails."""
        try:
            self.run()
        except Failed as error:
            return str(error)
        raise AssertionError("it did not fail")
