"""Flower's grid as the federation's nodes: what Flower cannot deliver or decode is a reason, and no crash."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, cast

import pytest
from flwr.app import ConfigRecord, Error, Message, RecordDict
from flwr.serverapp import Grid
from flwr.supercore.task_identity import TaskIdentity

from fedspoke.api.records import Prepared, PrepareOrder, TrainOrder
from fedspoke.flower.messages import pack
from fedspoke.hub.aggregation.server_app import GridNodes
from support import adapters
from support.federation import START

PREPARED = Prepared(cluster="cluster1", posts={"facebook": 5}, layout=adapters.layout())


class Lists:
    """A grid whose replies are given: a message's content, Flower's error, or what pulling it raises."""

    def __init__(self, *identifiers: str | None) -> None:
        self.identifiers = list(identifiers)
        self.sent: list[Message] = []
        self.replies: dict[str, RecordDict | Error | Exception] = {}

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str | None]:
        self.sent += messages
        return [self.identifiers.pop(0)] if self.identifiers else []

    def pull_messages(self, identifiers: Iterable[str]) -> Iterable[Message]:
        return [self._reply(identifier) for identifier in identifiers if identifier in self.replies]

    def _reply(self, identifier: str) -> Message:
        match self.replies[identifier]:
            case Exception() as error:
                raise error
            case what:
                order = self.sent[int(identifier)]
                order.metadata.__dict__["_message_id"] = identifier
                return Message(what, reply_to=order)


def order(ticket: str = "one") -> PrepareOrder:
    return PrepareOrder(run="test.run", until=START + timedelta(hours=1), ticket=ticket)


def nodes(grid: Lists) -> GridNodes:
    TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = 1, 2, 3  # Flower's processes know whose they are
    return GridNodes(cast("Grid", grid), lambda: START)


@pytest.mark.parametrize("identifiers", [("", ""), (None, None), ()])
def test_two_orders_that_cannot_be_delivered_are_two_reasons_at_once(identifiers: tuple[Any, ...]) -> None:
    there = nodes(Lists(*identifiers))
    there.ask(1, order("one"))
    there.ask(2, order("two"))
    reason = "Flower could not deliver the order query.prepare"
    assert list(there.answers()) == [(1, order("one"), reason), (2, order("two"), reason)]
    assert list(there.answers()) == []


def test_flower_keeps_an_order_until_its_time_is_over_for_us() -> None:
    grid = Lists("0")
    nodes(grid).ask(1, order())
    assert grid.sent[0].metadata.ttl >= 3600


def test_a_reply_that_flower_cannot_decode_is_its_nodes_alone() -> None:
    grid = Lists("0", "1")
    there = nodes(grid)
    there.ask(1, order("one"))
    there.ask(2, order("two"))
    grid.replies = {"0": ValueError("a post's text"), "1": pack(PREPARED)}
    assert list(there.answers()) == [
        (1, order("one"), "its reply cannot be decoded (ValueError)"),
        (2, order("two"), PREPARED),
    ]


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        pytest.param(
            Error(code=0, reason="killed\n" * 1000), "Flower says of the order query.prepare: killed killed", id="an error"
        ),
        pytest.param(Error(code=0), "Flower says of the order query.prepare: ", id="an error without a word"),
        pytest.param(RecordDict(), "holds no Prepared or Preparing or Failure", id="nothing"),
        pytest.param(
            RecordDict({"fedspoke": ConfigRecord({"json": "[" * 10**5})}),
            "holds no Prepared or Preparing or Failure",
            id="no record",
        ),
        pytest.param(
            RecordDict({"fedspoke": ConfigRecord({"json": 7})}), "holds no Prepared or Preparing or Failure", id="no text"
        ),
        pytest.param(
            RecordDict({"fedspoke": ConfigRecord({"json": PREPARED.model_dump_json() + " " * (1 << 22)})}),
            "holds no Prepared or Preparing or Failure",
            id="a text without end",
        ),
    ],
)
def test_a_reply_of_no_use_is_a_short_reason(reply: RecordDict | Error, says: str) -> None:
    grid = Lists("0")
    there = nodes(grid)
    there.ask(1, order())
    grid.replies = {"0": reply}
    ((node, asked, answer),) = there.answers()
    assert (node, asked) == (1, order())
    assert isinstance(answer, str)
    assert says in answer
    assert len(answer) < 400
    assert "\n" not in answer


@pytest.mark.parametrize("loss", ["NaN", "Infinity", "-1", "1e300"])
def test_a_loss_that_is_no_number_is_no_answer(loss: str) -> None:
    text = (
        f'{{"cluster": "cluster1", "round": 1, "digest": "{"0" * 64}", "examples": 1, "loss": 1, "seconds": 1, '
        f'"heldOut": {{"posts": 1, "before": 1, "after": {loss}}}}}'
    )
    grid = Lists("0")
    there = nodes(grid)
    there.ask(1, TrainOrder(run="test.run", until=START + timedelta(hours=1), round=1, digest="0" * 64))
    grid.replies = {"0": RecordDict({"fedspoke": ConfigRecord({"json": text})})}
    ((_, _, answer),) = there.answers()
    assert "holds no Trained or Failure" in str(answer)


def test_a_second_reply_to_one_order_is_handed_on_for_whoever_counts_answers() -> None:
    class Twice(Lists):
        def pull_messages(self, identifiers: Iterable[str]) -> Iterable[Message]:
            return [reply for reply in super().pull_messages(identifiers) for _ in range(2)]

    grid = Twice("0")
    there = nodes(grid)
    there.ask(1, order())
    grid.replies = {"0": pack(PREPARED)}
    assert list(there.answers()) == [(1, order(), PREPARED)] * 2
    assert list(there.answers()) == []
