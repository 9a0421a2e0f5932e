"""Flower's ServerApp: the federation's loop, with Flower's grid as its nodes and the machine's clock as its time."""

import logging
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

import httpx
from flwr.app import Context, Message
from flwr.serverapp import Grid, ServerApp

from fedspoke.api.errors import Failed
from fedspoke.api.records import AggregatorSettings, Failure, Prepared, PrepareOrder, Profiled, ProfileOrder, Trained, TrainOrder
from fedspoke.flower.messages import pack, unpack
from fedspoke.hub.aggregation.exchange import Exchange, serve
from fedspoke.hub.aggregation.federation import Federation
from fedspoke.hub.aggregation.members import Answer, Order
from fedspoke.hub.aggregation.progress import Account
from fedspoke.hub.aggregation.state import State

log = logging.getLogger("fedspoke")
app = ServerApp()

_TYPES: dict[type[Order], tuple[str, type[Answer]]] = {  # order: Flower's message type, the answer that is no Failure
    PrepareOrder: ("query.prepare", Prepared),
    TrainOrder: ("train", Trained),
    ProfileOrder: ("query.profile", Profiled),
}


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Run the federation of the settings file that the run names; how it ends stands in progress.json."""
    settings = AggregatorSettings.model_validate_json(Path(str(context.run_config["settings"])).read_bytes())
    folder = Path(settings.state)
    account = Account(folder / "progress.json", settings.clusters)
    exchange = Exchange(settings.run, folder / "exchange")
    try:
        with serve(exchange, settings.adapters_port):
            Federation(
                settings=settings,
                nodes=GridNodes(grid, lambda: datetime.now(UTC)),
                exchange=exchange,
                state=State(folder),
                account=account,
                general_profile=lambda: general_profile(settings),
                now=lambda: datetime.now(UTC),
                wait=time.sleep,
            ).run()
    except Failed as error:
        account.say(str(error), phase="Failed")
        log.error("%s", error)  # noqa: TRY400  the sentence is all; a traceback would say no more
    except Exception as error:
        account.say(f"the aggregator met an error of its own ({type(error).__name__}: {error}); its log has more", phase="Failed")
        raise


class GridNodes:
    """`Nodes` over Flower's grid."""

    def __init__(self, grid: Grid, now: Callable[[], datetime]) -> None:
        self._grid = grid
        self._now = now
        self._open: dict[str, tuple[int, Order]] = {}

    def online(self) -> Iterable[int]:
        """The nodes that the SuperLink has heard of lately."""
        return self._grid.get_node_ids()

    def ask(self, node: int, order: Order, until: datetime) -> None:
        """One message; Flower drops it after `until`."""
        kind, _ = _TYPES[type(order)]
        ttl = max(1.0, (until - self._now()).total_seconds())
        for identifier in self._grid.push_messages([Message(pack(order), node, kind, ttl=ttl)]):
            self._open[identifier] = (node, order)

    def answers(self) -> Iterable[tuple[int, Order, Answer]]:
        """One look at the SuperLink."""
        for reply in self._grid.pull_messages(list(self._open)) if self._open else ():
            node, order = self._open.pop(reply.metadata.reply_to_message_id)
            kind, answer = _TYPES[type(order)]
            if reply.has_error():
                log.warning("node %d, %s: %s", node, kind, reply.error.reason)
                yield node, order, Failure(cluster="", step=kind, message=f"Flower says: {reply.error.reason}")
            else:
                yield node, order, _read(reply, kind, answer)


def _read(reply: Message, kind: str, answer: type[Answer]) -> Answer:
    try:
        return unpack(reply, answer, Failure)
    except Failed as error:
        return Failure(cluster="", step=kind, message=str(error))


def general_profile(settings: AggregatorSettings) -> bytes:
    """The general profile as the fusion service has it.

    Raises:
        Failed: it has none, or does not answer.
    """
    url = f"http://{settings.fusion}/v1/runs/{settings.run}/general-profile"
    try:
        answer = httpx.get(url, timeout=30, trust_env=False)
    except httpx.HTTPError as error:
        raise Failed(f"the model is saved, but the fusion service at {settings.fusion} does not answer: {error}") from error
    if answer.status_code != httpx.codes.OK:
        raise Failed(
            f"the model is saved, but the fusion service has no general profile: {answer.status_code} {answer.text:.300}"
        )
    return answer.content
