"""Flower's ServerApp: the federation's loop, with Flower's grid as its nodes and the machine's clock as its time."""

import logging
import secrets
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

import httpx
from flwr.app import Context, Message
from flwr.serverapp import Grid, ServerApp

from fedspoke.api.backoff import Backoff
from fedspoke.api.errors import Failed
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
from fedspoke.flower.messages import pack, unpack
from fedspoke.hub.aggregation.exchange import Exchange, serve
from fedspoke.hub.aggregation.federation import Federation
from fedspoke.hub.aggregation.members import Answer, Order
from fedspoke.hub.aggregation.progress import Account
from fedspoke.hub.aggregation.releases import FILE, Releases
from fedspoke.hub.aggregation.state import State
from fedspoke.hub.aggregation.tickets import Tickets
from fedspoke.hub.aggregation.uploads import Uploads

log = logging.getLogger("fedspoke")
app = ServerApp()

_LINGER = 30.0
"""Seconds that Flower keeps an order longer than we wait for its answer: that time is up, we say, and in our words."""

_FUSION = Backoff(most=6, well=0)

_TYPES: dict[type[Order], tuple[str, tuple[type[Answer], ...]]] = {  # order: Flower's message type, the answers but a Failure
    PrepareOrder: ("query.prepare", (Prepared, Preparing)),
    TrainOrder: ("train", (Trained,)),
    FinishOrder: ("query.finish", (Finished,)),
}


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Run the federation of the settings file that the run names; how it ends stands in progress.json."""
    file = Path(str(context.run_config["settings"]))

    def told() -> AggregatorSettings:
        return AggregatorSettings.model_validate_json(file.read_bytes())

    settings = told()
    folder = Path(settings.state)
    account = Account(folder / "progress.json", settings.clusters, settings.attempt)
    tickets = Tickets(secrets.token_urlsafe)
    try:
        releases = Releases(folder / FILE, settings.privacy)
        uploads = Uploads(folder / "exchange", releases)
        with serve(Exchange(settings.run, uploads, tickets), settings.adapters_port):
            Federation(
                told=told,
                nodes=GridNodes(grid, lambda: datetime.now(UTC)),
                tickets=tickets,
                uploads=uploads,
                releases=releases,
                state=State(folder),
                account=account,
                general_profile=lambda: general_profile(settings, time.sleep),
                now=lambda: datetime.now(UTC),
                wait=time.sleep,
            ).run()
    except Failed as error:
        account.say(str(error), phase="Failed")
        log.error("%s", error)  # noqa: TRY400  the sentence is all; a traceback would say no more
    except httpx.HTTPError:  # the SuperLink is gone: whoever started it starts it again, and another of us
        raise
    except Exception as error:
        account.say(f"the aggregator met an error of its own ({type(error).__name__}: {error}); its log has more", phase="Failed")
        raise


class GridNodes:
    """`Nodes` over Flower's grid."""

    def __init__(self, grid: Grid, now: Callable[[], datetime]) -> None:
        self._grid = grid
        self._now = now
        self._open: dict[str, tuple[int, Order]] = {}
        self._undelivered: list[tuple[int, Order, str]] = []

    def online(self) -> Iterable[int]:
        """The nodes that the SuperLink has heard of lately."""
        return self._grid.get_node_ids()

    def ask(self, node: int, order: Order) -> None:
        """One message; Flower drops it some time after the order's own time is over."""
        kind, _ = _TYPES[type(order)]
        ttl = max(0.0, (order.until - self._now()).total_seconds()) + _LINGER
        identifiers = list(self._grid.push_messages([Message(pack(order), node, kind, ttl=ttl)]))
        if identifiers and identifiers[0]:
            self._open[identifiers[0]] = (node, order)
        else:  # the node has just gone
            self._undelivered.append((node, order, f"Flower could not deliver the order {kind}"))

    def answers(self) -> Iterable[tuple[int, Order, Answer | str]]:
        """One look at the SuperLink."""
        undelivered, self._undelivered = self._undelivered, []
        yield from undelivered
        asked = dict(self._open)
        for identifier, reply in self._replies():
            if identifier not in asked:
                continue
            self._open.pop(identifier, None)  # a second reply is for whoever counts answers to drop
            node, order = asked[identifier]
            yield node, order, reply if isinstance(reply, str) else _read(reply, order)

    def _replies(self) -> Iterable[tuple[str, Message | str]]:
        """Identifiers of orders, and what came for each."""
        if not self._open:
            return []
        try:
            return [(reply.metadata.reply_to_message_id, reply) for reply in self._grid.pull_messages(list(self._open))]
        except httpx.HTTPError:  # the SuperLink itself
            raise
        except Exception as error:  # noqa: BLE001  a reply that Flower cannot decode spoils the look at all of them
            log.warning("a reply that Flower cannot decode: %s", error)
        return [pair for identifier in self._open for pair in self._reply(identifier)]

    def _reply(self, identifier: str) -> Iterable[tuple[str, Message | str]]:
        try:
            return [(identifier, reply) for reply in self._grid.pull_messages([identifier])]
        except httpx.HTTPError:
            raise
        except Exception as error:  # noqa: BLE001  whatever a node's bytes make Flower raise, it is that node's failure
            return [(identifier, f"its reply cannot be decoded ({type(error).__name__})")]


def _read(reply: Message, order: Order) -> Answer | str:
    kind, answers = _TYPES[type(order)]
    if reply.has_error():
        return f"Flower says of the order {kind}: {' '.join((reply.error.reason or '').split()):.300}"
    try:
        return unpack(reply, *answers, Failure)
    except Failed as error:
        return str(error)


def general_profile(settings: AggregatorSettings, wait: Callable[[float], None]) -> bytes:
    """The general profile as the fusion service has it; one that was killed is started again, which takes a moment.

    Raises:
        Failed: it has none, or does not answer for about a minute.
    """
    url, failures = f"http://{settings.fusion}/v1/runs/{settings.run}/general-profile", 0
    while True:
        try:
            answer = httpx.get(url, timeout=30, trust_env=False)
            break
        except httpx.HTTPError as error:
            failures += 1
            why = f"the fusion service at {settings.fusion} does not answer: {error}"
            pause = _FUSION.pause(failures)
            if pause is None:
                raise Failed(f"the model is saved, but {why}") from error
            log.warning("%s; asked again in %.0f s", why, pause)
            wait(pause)
    if answer.status_code != httpx.codes.OK:
        raise Failed(
            f"the model is saved, but the fusion service has no general profile: {answer.status_code} {answer.text:.300}"
        )
    return answer.content
