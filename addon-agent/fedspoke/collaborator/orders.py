"""How an order gets from the process that Flower started for it to the flow, and the answer back: two files of the output.

Files, since either end may be killed and started anew: an order lies there as long as somebody waits for its answer, and the
flow that comes next finds it. There is one order at a time, as a SuperNode hands out one at a time; one that comes again joins
the work at the one before it.
"""

import itertools
import secrets
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from pydantic import AwareDatetime, ValidationError

from fedspoke.api import files
from fedspoke.api.errors import Failed, Final
from fedspoke.api.records import CollaboratorSettings, Record
from fedspoke.collaborator.answers import LlavaTrained
from fedspoke.collaborator.workflow import Finishing

R = TypeVar("R", bound=Record)

ROUNDS = "rounds"
"""The folder of the output in which the adapters are that come from the hub and go there."""

_POLL = 0.05
_LOOK = 10  # polls


class TrainTask(Record):
    """Train one round, from the adapter in one file to the one in another."""

    round: int
    adapter: str
    output: str


class FinishTask(Record):
    """Measure the final adapter, and make the profiles."""

    adapter: str


Task = TrainTask | FinishTask


class Handed(Record):
    """An order, as the flow finds it."""

    id: str
    until: AwareDatetime
    task: Task


class Answer(Record):
    """What came of an order: an outcome, or why there is none."""

    id: str
    outcome: LlavaTrained | Finishing | None = None
    failed: str = ""
    passing: bool = False
    """Whether another attempt may succeed, if it failed."""


def ask(settings: CollaboratorSettings, task: Task, outcome: type[R], until: float, look: Callable[[], object]) -> R:
    """Hand the flow an order and wait for its outcome.

    Args:
        settings: The collaborator's.
        task: What is to be done.
        outcome: Of which kind its outcome is.
        until: When nobody wants it any more, on the monotonic clock.
        look: Called meanwhile, every now and then; raises what makes waiting useless, the end of the order's time among it.

    Raises:
        Failed: the flow failed at it, in the trainer's words.
    """
    order, answer = _order(settings), _answer(settings)
    order.parent.mkdir(exist_ok=True)
    end = datetime.now(UTC) + timedelta(seconds=until - time.monotonic())
    own = Handed(id=secrets.token_hex(8), until=end, task=task)
    files.replace(order, own.model_dump_json(by_alias=True).encode())
    try:
        came = next(came for _ in _looks(look) if (came := _read(answer, Answer)) and came.id == own.id)
    finally:  # nobody waits for it any more
        if (there := _read(order, Handed)) and there.id == own.id:
            order.unlink(missing_ok=True)
    if isinstance(came.outcome, outcome):
        return came.outcome
    raise (Failed if came.passing else Final)(came.failed)


def _looks(look: Callable[[], object]) -> Iterator[None]:
    for poll in itertools.count(1):
        yield
        if poll % _LOOK == 0:
            look()
        time.sleep(_POLL)


def handed(settings: CollaboratorSettings) -> Handed | None:
    """The order that waits for its answer, if there is one."""
    order = _read(_order(settings), Handed)
    if order is None or order.until <= datetime.now(UTC):
        return None
    came = _read(_answer(settings), Answer)
    return None if came and came.id == order.id else order


def answer(settings: CollaboratorSettings, said: Answer) -> None:
    """Say what came of it, to whoever waits."""
    files.replace(_answer(settings), said.model_dump_json(by_alias=True).encode())


def forget(settings: CollaboratorSettings) -> None:
    """Whoever waited for an answer is gone."""
    _order(settings).unlink(missing_ok=True)


def profile(settings: CollaboratorSettings, platform: str) -> Path:
    """Where the flow leaves a profile for the order that hands it to the hub."""
    return _order(settings).with_name(f"profile-{platform}.json")


def _read(file: Path, record: type[R]) -> R | None:
    try:
        return record.model_validate_json(file.read_bytes())
    except (FileNotFoundError, ValidationError):  # none, or another version's
        return None


def _order(settings: CollaboratorSettings) -> Path:
    return Path(settings.output) / "orders" / "order.json"


def _answer(settings: CollaboratorSettings) -> Path:
    return Path(settings.output) / "orders" / "answer.json"
