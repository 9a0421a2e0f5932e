"""Turn after turn of the flow, for as long as the collaborator runs. What may pass is tried again: for some minutes before an
order is told of it, and at long intervals after that.
"""

import logging
import sys
import time
from datetime import UTC, datetime

from fedspoke.api.backoff import Backoff
from fedspoke.api.errors import Failed, Final, Refused
from fedspoke.api.records import CollaboratorSettings
from fedspoke.collaborator import orders, workflow
from fedspoke.collaborator.client_workflow import ClientWorkflow
from fedspoke.collaborator.orders import Answer
from fedspoke.collaborator.trainer import Trainer
from fedspoke.collaborator.workflow import Workflow

log = logging.getLogger("fedspoke")

_WATCH = 0.5  # seconds between two looks whether the trainer is still there

_PATIENCE = 300.0
"""Seconds in which a step is repeated before orders are told that it fails."""

_REPEAT = Backoff(most=sys.maxsize, well=0)  # what a person mends after hours is noticed within half a minute


def keep(settings: CollaboratorSettings, patience: float = _PATIENCE) -> None:
    """Never ends by itself."""
    workflow.save(settings, workflow.begun(settings))
    failures, began = 0, datetime.now(UTC)
    while True:
        state = turn(settings)
        if state.error is None:
            failures, began = 0, datetime.now(UTC)
        elif state.passing:
            failures += 1
            workflow.save(settings, workflow.repeated(state, began, patience, datetime.now(UTC)))
            time.sleep(_REPEAT.pause(failures) or _REPEAT.longest)
        else:
            workflow.save(settings, state)
            while Trainer(settings).still(state.trainer):
                time.sleep(_WATCH)
            workflow.save(settings, workflow.begun(settings))
            failures, began = 0, datetime.now(UTC)


def turn(settings: CollaboratorSettings) -> Workflow:
    """One turn. What fails under an order is its answer; what fails otherwise is in the state that is returned."""
    flow = ClientWorkflow.of(settings)
    try:
        flow.kickoff(inputs={"id": settings.run})
    except Exception as error:
        state, said = flow.state, str(error)
        if not isinstance(error, Failed | Refused):
            log.exception("%s", state.step)
            said = f"{type(error).__name__}; the log of flower-client says more"
        # What a trainer refuses that was started meanwhile is only that it lacks the steps before.
        passing = not isinstance(error, Final | Refused) or not flow.trainer.still(state.trainer)
        if flow.order is None:
            return Workflow.model_validate(dict(state) | {"error": said, "passing": passing})
        orders.answer(settings, Answer(id=flow.order.id, failed=said, passing=passing))
    return Workflow.model_validate(dict(flow.state))
