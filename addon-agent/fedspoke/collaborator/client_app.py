"""Flower's ClientApp: each order of the hub becomes transfers through the gateway, an order to the flow, and one answer.

Flower runs it in a process of its own for each message, so it holds nothing: the flow drives the trainer, which keeps the model.
"""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from flwr.app import Context, Message
from flwr.clientapp import ClientApp
from pydantic import ValidationError

from fedspoke.api.errors import Failed, Final, Refused
from fedspoke.api.records import (
    CollaboratorSettings,
    Digest,
    Failure,
    Finished,
    FinishOrder,
    Order,
    Prepared,
    PrepareOrder,
    Preparing,
    Record,
    Trained,
    TrainOrder,
    cause,
)
from fedspoke.collaborator import orders, transfer, workflow
from fedspoke.collaborator.answers import LlavaTrained
from fedspoke.collaborator.orders import FinishTask, Task, TrainTask
from fedspoke.collaborator.trainer import Trainer
from fedspoke.collaborator.workflow import Finishing, Workflow
from fedspoke.flower.messages import pack, unpack

log = logging.getLogger("fedspoke")
app = ClientApp()

O = TypeVar("O", bound=Order)  # noqa: E741  the order
R = TypeVar("R", bound=Record)

_POLL = 0.1
_TOLD = 15.0
"""Seconds until the hub is told which step is at work, and asks again."""


@app.query("prepare")
def prepare(message: Message, context: Context) -> Message:
    """Answered once the workflow is ready, or has failed."""
    return _answer("prepare", message, context, PrepareOrder, _prepared)


@app.train()
def train(message: Message, context: Context) -> Message:
    """One round: fetch the adapter, train it, leave the result at the hub."""
    return _answer("train", message, context, TrainOrder, _trained)


@app.query("finish")
def finish(message: Message, context: Context) -> Message:
    """The final adapter, measured; one profile for each platform, as far as the cluster's owner lets it be shared."""
    return _answer("finish", message, context, FinishOrder, _finished)


def _answer(
    step: str, message: Message, context: Context, kind: type[O], work: Callable[[CollaboratorSettings, O, float], Record]
) -> Message:
    """The work's answer, or why there is none. What is said of an unforeseen error is its kind alone."""
    settings = CollaboratorSettings.model_validate_json(Path(str(context.node_config["settings"])).read_bytes())
    try:
        order = unpack(message, kind)
        answer = work(settings, order, _end(message, order, settings.cluster))
    except (Failed, Refused) as error:
        passing = not isinstance(error, Final | Refused)
        answer = Failure(cluster=settings.cluster, step=step, message=str(error), passing=passing)
    except Exception as error:  # whatever it is, the hub must hear of it
        log.exception("%s", step)
        said = f"{type(error).__name__}; the log of flower-client says more"
        answer = Failure(cluster=settings.cluster, step=step, message=said, passing=True)  # a full disk, perhaps
    return Message(pack(answer), reply_to=message)


def _end(message: Message, order: Order, cluster: str) -> float:
    """When the order's time is over, on the monotonic clock.

    Flower counts a message's time from when it was fetched, and the hub waits by its own clock: the sooner one counts.
    """
    seconds = min(message.metadata.ttl, (order.until - datetime.now(UTC)).total_seconds())
    if seconds <= 0:
        raise Failed(f"the order came to {cluster} after its time, {order.until:%H:%M:%S} UTC by the clock there")
    return time.monotonic() + seconds


def _prepared(settings: CollaboratorSettings, order: PrepareOrder, until: float) -> Prepared | Preparing:
    transfer.present(f"http://{settings.gateway}/v1/runs/{order.run}/rounds/1/adapter", order.ticket, _left(until))
    return _steps(settings, until, time.monotonic() + _TOLD)


def _ready(settings: CollaboratorSettings, until: float) -> None:
    """Once the steps are done again after mcp-server was started anew."""
    _steps(settings, until, until + _TOLD)


def _steps(settings: CollaboratorSettings, until: float, told: float) -> Prepared | Preparing:
    """Once the steps are done, or after some time the one at work."""
    trainer = Trainer(settings)
    while True:
        state = _going(settings, until)
        if state.prepared and state.trainer == trainer.identity():
            return state.prepared
        if time.monotonic() > told:
            return Preparing(cluster=settings.cluster, step=state.step, since=state.since, again=state.again)
        time.sleep(_POLL)


def _going(settings: CollaboratorSettings, until: float) -> Workflow:
    """Where the flow is, as long as waiting for it makes sense."""
    state = workflow.load(settings)
    if state.error:
        raise (Failed if state.passing else Final)(f"{state.step}: {state.error}")
    if time.monotonic() > until:
        why = f" ({state.again})" if state.again else ""
        raise Failed(f"{settings.cluster} was still at the step {state.step}{why} when the order's time was over")
    return state


def _asked(settings: CollaboratorSettings, task: Task, outcome: type[R], until: float) -> R:
    return orders.ask(settings, task, outcome, until, lambda: _going(settings, until))


def _trained(settings: CollaboratorSettings, order: TrainOrder, until: float) -> Trained:
    _ready(settings, until)
    start = _adapter(settings, order.digest)
    result = start.with_name(f"update-{order.round}.safetensors")  # a late training of another round must not write into it
    _only(start, result)
    url = f"http://{settings.gateway}/v1/runs/{order.run}/rounds/{order.round}/adapter"
    transfer.fetch(url, order.digest, start, _left(until))
    task = TrainTask(round=order.round, adapter=str(start), output=str(result))
    outcome = _asked(settings, task, LlavaTrained, until)
    digest = transfer.send(url, result, outcome.examples, _left(until))
    try:
        return Trained(
            cluster=settings.cluster,
            round=order.round,
            digest=digest,
            examples=outcome.examples,
            loss=outcome.loss,
            seconds=outcome.seconds,
            held_out=outcome.held_out,
            releases=outcome.releases,
            ledger=outcome.ledger,
        )
    except ValidationError as error:
        raise Failed(f"the trainer's account of round {order.round} is of no use: {cause(error)}") from error


def _finished(settings: CollaboratorSettings, order: FinishOrder, until: float) -> Finished:
    _ready(settings, until)
    final = _adapter(settings, order.digest)
    _only(final)
    base = f"http://{settings.gateway}/v1/runs/{order.run}"
    transfer.fetch(f"{base}/rounds/{order.round + 1}/adapter", order.digest, final, _left(until))
    outcome = _asked(settings, FinishTask(adapter=str(final)), Finishing, until)
    for platform, profile in outcome.profiles.items():
        transfer.put(f"{base}/profiles/{platform}", Path(profile).read_text(), _left(until))
    return Finished(cluster=settings.cluster, shared=tuple(outcome.profiles), refused=outcome.refused, held_out=outcome.held_out)


def _left(until: float) -> float:
    """Seconds until then."""
    return max(0.0, until - time.monotonic())


def _adapter(settings: CollaboratorSettings, digest: Digest) -> Path:
    """Where the global adapter of this digest is, or is to come."""
    return Path(settings.output) / orders.ROUNDS / f"global-{digest}.safetensors"


def _only(*wanted: Path) -> None:
    """Other rounds' adapters need their room no more."""
    for file in wanted[0].parent.glob("*.safetensors*"):
        if not any(file.name.startswith(each.name) for each in wanted):  # what has come of a file so far has its name and more
            file.unlink(missing_ok=True)
