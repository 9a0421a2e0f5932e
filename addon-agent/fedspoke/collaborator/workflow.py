"""Where a collaborator's flow is: workflow.json, which people read, orders wait for, and the flow itself goes on from.

It is the flow's whole state, so that a flow that was killed at any moment is continued by the next one. Light, as Flower's
processes read it, too.
"""

from datetime import datetime, timedelta
from pathlib import Path

from pydantic import ConfigDict, ValidationError

from fedspoke.api import files
from fedspoke.api.names import Platform
from fedspoke.api.records import CollaboratorSettings, HeldOut, Prepared, Record, Sentence, Tensor
from fedspoke.collaborator.answers import LlavaTrained
from fedspoke.collaborator.curation import Curated

READY = "ready"
"""The step of a flow that waits for an order."""


class TrainedRound(Record):
    """What the trainer said of a round, and the order that asked for it."""

    order: str
    round: int
    outcome: LlavaTrained


class Finishing(Record):
    """What of the end is done, for this final adapter."""

    adapter: str
    evaluated: bool = False
    held_out: HeldOut | None = None
    profiles: dict[Platform, str] = {}
    """The files of those that may be shared."""
    refused: dict[Platform, str] = {}


class Workflow(Record):
    """The steps that are done, the one at work, and how they ended."""

    model_config = ConfigDict(frozen=False)  # a flow's state changes while it goes

    id: str = ""
    """The federation's run: another one's state is not gone on from."""
    trainer: str | None = None
    """Which trainer went through the steps: another one has neither model nor records."""
    done: tuple[str, ...] = ()
    step: str = "start"
    since: datetime | None = None
    """When the step began."""
    progress: Sentence = ""
    """How far it is, every few seconds."""
    until: datetime | None = None
    """When the step is given up; None: it has all the time that it takes."""
    again: Sentence = ""
    """Why steps are repeated, since when, and until when before it counts as an error."""
    error: str | None = None
    passing: bool = False
    """Whether the steps are being repeated all the same, so that the error may pass."""
    layout: tuple[Tensor, ...] | None = None
    """Of the adapter, once the model is there."""
    cleaned: dict[Platform, int] | None = None
    """Records of each platform, until it is known which are trained on."""
    curated: dict[Platform, Curated] = {}
    """What the crew made of them."""
    prepared: Prepared | None = None
    trained: tuple[TrainedRound, ...] = ()
    """The last one of each round."""
    finishing: Finishing | None = None


def repeated(state: Workflow, began: datetime, patience: float, now: datetime) -> Workflow:
    """A failed attempt that is repeated, as orders see it: for a while it is being worked at, then it is an error."""
    until = began + timedelta(seconds=patience)
    told = f"{state.error}; repeated since {began:%H:%M:%S}, until {until:%H:%M:%S} UTC before an order hears of it"
    if now < until:
        return state.model_copy(update={"again": told, "error": None})
    return state.model_copy(update={"error": f"{state.error}; repeated since {began:%H:%M:%S} UTC"})


def begun(settings: CollaboratorSettings) -> Workflow:
    """What is gone on from: this run's state as it was left, without what the steps failed of then."""
    try:
        state = load(settings)
    except (FileNotFoundError, ValidationError):  # none yet, or of another version
        state = Workflow()
    if state.id != settings.run:
        return Workflow(id=settings.run)
    return state.model_copy(update={"again": "", "error": None, "passing": False})


def load(settings: CollaboratorSettings) -> Workflow:
    """What workflow.json says."""
    return Workflow.model_validate_json(file(settings).read_bytes())


def save(settings: CollaboratorSettings, state: Workflow) -> None:
    """Replace workflow.json at once."""
    files.replace(file(settings), state.model_dump_json(by_alias=True, indent=2).encode())


def file(settings: CollaboratorSettings) -> Path:
    """Where it is."""
    return Path(settings.output) / "workflow.json"
