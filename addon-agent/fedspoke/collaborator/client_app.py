"""Flower's ClientApp: each order of the hub becomes calls to the trainer and transfers through the gateway, and one answer.

Flower runs it in a process of its own for each message, so it holds nothing and imports no torch: the trainer keeps the model.
"""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from flwr.app import Context, Message
from flwr.clientapp import ClientApp

from fedspoke.api.errors import Failed, Refused
from fedspoke.api.names import Platform
from fedspoke.api.records import (
    CollaboratorSettings,
    Failure,
    Prepared,
    PrepareOrder,
    Profiled,
    ProfileOrder,
    Record,
    Trained,
    TrainOrder,
)
from fedspoke.collaborator import transfer, workflow
from fedspoke.collaborator.answers import LlavaTrained, ProfileMade
from fedspoke.collaborator.trainer import Trainer
from fedspoke.flower.messages import pack, unpack

log = logging.getLogger("fedspoke")
app = ClientApp()

O = TypeVar("O", bound=Record)  # noqa: E741  the order

_POLL = 0.1


@app.query("prepare")
def prepare(message: Message, context: Context) -> Message:
    """Answered once the workflow is ready, or has failed."""
    return _answer("prepare", message, context, PrepareOrder, _prepared)


@app.train()
def train(message: Message, context: Context) -> Message:
    """One round: fetch the adapter, train it, leave the result at the hub."""
    return _answer("train", message, context, TrainOrder, _trained)


@app.query("profile")
def profile(message: Message, context: Context) -> Message:
    """One profile for each platform, as far as the cluster's owner lets it be shared."""
    return _answer("profile", message, context, ProfileOrder, _profiled)


def _answer(
    step: str, message: Message, context: Context, kind: type[O], work: Callable[[CollaboratorSettings, O, float], Record]
) -> Message:
    """The work's answer, or why there is none. What is said of an unforeseen error is its kind alone."""
    settings = CollaboratorSettings.model_validate_json(Path(str(context.node_config["settings"])).read_bytes())
    try:
        answer = work(settings, unpack(message, kind), message.metadata.ttl)
    except (Failed, Refused) as error:
        answer = Failure(cluster=settings.cluster, step=step, message=str(error))
    except Exception as error:  # whatever it is, the hub must hear of it
        log.exception("%s", step)
        said = f"{type(error).__name__}; the log of flower-client says more"
        answer = Failure(cluster=settings.cluster, step=step, message=said)
    return Message(pack(answer), reply_to=message)


def _prepared(settings: CollaboratorSettings, order: PrepareOrder, seconds: float) -> Prepared:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        state = workflow.load(settings)
        if state.error:
            raise Failed(f"{state.step}: {state.error}")
        if state.prepared:
            return state.prepared
        time.sleep(_POLL)
    raise Failed(f"{settings.cluster} was still at {state.step} when the federation's time was over")


def _trained(settings: CollaboratorSettings, order: TrainOrder, seconds: float) -> Trained:
    until = time.monotonic() + seconds
    start, result = _adapter(settings), Path(settings.output) / "rounds" / "update.safetensors"
    url = f"http://{settings.gateway}/v1/runs/{order.run}/rounds/{order.round}/adapter"
    transfer.fetch(url, order.digest, start, seconds)
    arguments = {"round": order.round, "adapter": str(start), "output": str(result)}
    outcome = Trainer(settings).call("train_llava", arguments, LlavaTrained, until)
    digest = transfer.send(url, result, outcome.examples, until - time.monotonic())
    return Trained(
        cluster=settings.cluster,
        round=order.round,
        digest=digest,
        examples=outcome.examples,
        loss=outcome.loss,
        seconds=outcome.seconds,
    )


def _profiled(settings: CollaboratorSettings, order: ProfileOrder, seconds: float) -> Profiled:
    until = time.monotonic() + seconds
    final = _adapter(settings)
    base = f"http://{settings.gateway}/v1/runs/{order.run}"
    transfer.fetch(f"{base}/rounds/{order.round + 1}/adapter", order.digest, final, seconds)
    shared: list[Platform] = []
    refused: dict[Platform, str] = {}
    for platform in settings.datasets:
        made = Trainer(settings).call("generate_profile", {"platform": platform, "adapter": str(final)}, ProfileMade, until)
        if made.profile is None:
            refused[platform] = made.refused or "the trainer gave no reason"
        else:
            transfer.put(f"{base}/profiles/{platform}", made.profile.model_dump_json(by_alias=True), until - time.monotonic())
            shared.append(platform)
    return Profiled(cluster=settings.cluster, shared=tuple(shared), refused=refused)


def _adapter(settings: CollaboratorSettings) -> Path:
    """The global adapter, as it was last fetched."""
    return Path(settings.output) / "rounds" / "global.safetensors"
