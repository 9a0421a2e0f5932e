"""flower-client's main program: a SuperNode, the steps that make the trainer ready, and a process for each order of the hub.

The steps run beside the SuperNode and write where they are to workflow.json; the order to prepare is answered from there. A
trainer that was started anew (out of memory, say) goes through them again; meanwhile workflow.json says where it is. What may
pass is tried again: for some minutes before an order is told of it, and at long intervals after that.

Whatever of all this is killed is started anew.
"""

import logging
import multiprocessing
import os
import signal
import sys
import time
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType, TracebackType
from typing import NoReturn, Self

from fedspoke.api import files
from fedspoke.api.backoff import Backoff
from fedspoke.api.errors import Failed, Final, Refused
from fedspoke.api.names import Platform
from fedspoke.api.records import CollaboratorSettings, Prepared, Record, Sentence
from fedspoke.collaborator.answers import DataCleaned, DataFetched, ModelReady
from fedspoke.collaborator.supernode import serve
from fedspoke.collaborator.trainer import Trainer
from fedspoke.flower import programs

log = logging.getLogger("fedspoke")

_WATCH = 0.5  # seconds between two looks whether the trainer is still there; each is a connection
_TRAINER_UP = 300.0
"""Seconds that mcp-server may take to answer, after its end, too: it is started again, and imports torch."""

_PATIENCE = 300.0
"""Seconds in which a step is repeated before orders are told that it fails."""

_REPEAT = Backoff(most=sys.maxsize, well=0)  # what a person mends after hours is noticed within half a minute


class Workflow(Record):
    """workflow.json: the steps that are done, the one at work, and how they ended."""

    done: tuple[str, ...] = ()
    step: str = "start"
    since: datetime | None = None
    """When the step began."""
    again: Sentence = ""
    """Why steps are repeated, since when, and until when before it counts as an error."""
    error: str | None = None
    passing: bool = False
    """Whether the steps are being repeated all the same, so that the error may pass."""
    prepared: Prepared | None = None
    trainer: str | None = None
    """Which trainer went through the steps: another one has neither model nor records."""


def run(settings: CollaboratorSettings) -> None:
    """Serve one federation until SIGTERM or SIGINT.

    Raises:
        Failed: the SuperNode cannot run; the sentence says why.
    """
    os.umask(0o077)  # what is written here is this user's alone, on a laptop too
    output = Path(settings.output)
    output.mkdir(parents=True, exist_ok=True)
    save(settings, Workflow())
    signal.signal(signal.SIGTERM, _terminate)
    programs.free(settings.supernode_port, "the SuperNode")
    os.environ.update(programs.environment(output / "flower"))
    with Steps(settings) as steps:
        serve(settings, steps.keep)


class Steps:
    """The process of the steps: there is one as long as the block lasts."""

    def __init__(self, settings: CollaboratorSettings) -> None:
        self._task = (settings, os.getpid())
        self._process: BaseProcess | None = None

    def __enter__(self) -> Self:
        self.keep()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._process:
            self._process.kill()
            self._process.join()

    def keep(self) -> None:
        """Start one where the last one has ended: nothing but a signal ends it."""
        if self._process is None or self._process.exitcode is not None:
            self._process = multiprocessing.get_context("fork").Process(target=_steps, args=self._task)
            self._process.start()


def _steps(settings: CollaboratorSettings, parent: int) -> None:
    programs.end_with(parent)
    keep_prepared(settings)


def keep_prepared(settings: CollaboratorSettings, patience: float = _PATIENCE) -> None:
    """Prepare the trainer, and each one that is started in its place: a new one has neither model nor records.

    A step that fails and may succeed is repeated, at last every half minute; after `patience` seconds orders hear of it.
    """
    trainer, state, failures, began = Trainer(settings), Workflow(), 0, datetime.now(UTC)
    while True:
        state = prepare(settings, state)
        if state.passing:
            failures += 1
            state = repeated(state, began, patience, datetime.now(UTC))
            save(settings, state)
            time.sleep(_REPEAT.pause(failures) or _REPEAT.longest)
            continue
        while state.trainer == identity(trainer) and trainer.up():
            time.sleep(_WATCH)
        state, failures, began = Workflow(), 0, datetime.now(UTC)


def repeated(state: Workflow, began: datetime, patience: float, now: datetime) -> Workflow:
    """A failed attempt that is repeated, as orders see it: for a while it is being worked at, then it is an error."""
    until = began + timedelta(seconds=patience)
    told = f"{state.error}; repeated since {began:%H:%M:%S}, until {until:%H:%M:%S} UTC before an order hears of it"
    if now < until:
        return state.model_copy(update={"again": told, "error": None})
    return state.model_copy(update={"error": f"{state.error}; repeated since {began:%H:%M:%S} UTC"})


def prepare(settings: CollaboratorSettings, before: Workflow) -> Workflow:
    """The steps before the first round, once. However they end, workflow.json says it, and meanwhile how they ended before."""
    trainer = Trainer(settings)
    state = Workflow(again=before.again, error=before.error, passing=before.passing)

    def begin(step: str) -> None:
        nonlocal state
        done = state.done if state.step == "start" else (*state.done, state.step)
        state = state.model_copy(update={"done": done, "step": step, "since": datetime.now(UTC)})
        save(settings, state)

    try:
        begin("wait for the trainer")
        trainer.await_up(_TRAINER_UP)
        state = state.model_copy(update={"trainer": identity(trainer)})
        begin("download_model")
        model = trainer.call("download_model", {}, ModelReady)
        for platform in settings.datasets:
            begin(f"fetch_data {platform}")
            trainer.call("fetch_data", {"platform": platform}, DataFetched)
        begin("clean_data")
        posts: dict[Platform, int] = trainer.call("clean_data", {}, DataCleaned).records
    except Exception as error:
        said = str(error)
        if not isinstance(error, Failed | Refused):
            log.exception("%s", state.step)
            said = f"{type(error).__name__}; the log of flower-client says more"
        # What a trainer refuses that was started meanwhile is only that it lacks the steps before.
        passing = not isinstance(error, Final | Refused) or state.trainer != identity(trainer)
        state = state.model_copy(update={"error": said, "passing": passing})
    else:
        begin("ready")
        prepared = Prepared(cluster=settings.cluster, posts=posts, layout=model.layout)
        state = state.model_copy(update={"prepared": prepared, "again": "", "error": None, "passing": False})
    if not state.passing:
        save(settings, state)
    return state


def identity(trainer: Trainer) -> str | None:
    """By which a trainer differs from one that was started in its place; None before the first one."""
    token = trainer.token()
    return sha256(token.encode()).hexdigest()[:12] if token else None


def load(settings: CollaboratorSettings) -> Workflow:
    """What workflow.json says."""
    return Workflow.model_validate_json(_file(settings).read_bytes())


def save(settings: CollaboratorSettings, state: Workflow) -> None:
    """Replace workflow.json at once."""
    files.replace(_file(settings), state.model_dump_json(by_alias=True, indent=2).encode())


def _file(settings: CollaboratorSettings) -> Path:
    return Path(settings.output) / "workflow.json"


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(128 + number)
