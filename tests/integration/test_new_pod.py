"""A collaborator's pod ends in a round, and another goes on with its folder: as after a watchdog's end, or on another node."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from safetensors import safe_open

from fedspoke.api import files
from fedspoke.api.records import CollaboratorSettings, Prepared
from fedspoke.collaborator import orders, workflow
from fedspoke.collaborator.answers import LlavaTrained
from fedspoke.collaborator.checkpoint import State
from fedspoke.collaborator.orders import Answer, Handed, TrainTask
from fedspoke.collaborator.steps import Steps
from fedspoke.collaborator.trainer import Trainer
from support import adapters
from support.collaborator import facebook, settings, starting_point
from support.envoy import wait_for
from support.flower import collaborating
from support.mcp import McpServer, free_port, serving

STEPS = 60
PATIENCE = 150  # seconds for what takes ten on an idle machine


@contextmanager
def pod(told: CollaboratorSettings, folder: Path) -> Iterator[McpServer]:
    """Its two processes, of which the trainer is ended last, as a sidecar is."""
    folder.mkdir()
    with serving(told, folder) as trainer, collaborating(told, folder / "client"):
        yield trainer


def hand(told: CollaboratorSettings, order: str, task: TrainTask) -> None:
    """What the process does that Flower starts for an order, and that ends with the pod."""
    until = datetime.now(UTC) + timedelta(minutes=10)
    handed = Handed(id=order, until=until, task=task)
    files.replace(Path(told.output) / "orders/order.json", handed.model_dump_json(by_alias=True).encode())


def answered(told: CollaboratorSettings, order: str) -> Answer | None:
    file = Path(told.output) / "orders/answer.json"
    said = Answer.model_validate_json(file.read_bytes()) if file.exists() else None
    return said if said and said.id == order else None


def step(told: CollaboratorSettings) -> int:
    """As far as the checkpoint is."""
    try:
        with safe_open(Path(told.output) / "training/checkpoint.safetensors", "np") as file:
            return State.model_validate_json(file.metadata()["state"]).step
    except FileNotFoundError:
        return 0


def ready(told: CollaboratorSettings) -> Prepared | None:
    """Once the flow has gone through the steps with the trainer of now, and waits for an order."""
    try:
        state = workflow.load(told)
    except FileNotFoundError:
        return None
    return state.prepared if state.trainer == Trainer(told).identity() and state.step == workflow.READY else None


def test_a_round_goes_on_in_a_new_pod_from_the_checkpoint_of_the_one_before(tmp_path: Path) -> None:
    told = settings(tmp_path, {"facebook": facebook(tmp_path / "export", 6)}, mcp_port=free_port())
    training = told.training.model_copy(update={"steps": STEPS})
    changes = {"training": training, "checkpoint_seconds": 0, "supernode_port": free_port()}
    told = told.model_copy(update=changes)
    undisturbed = told.model_copy(update={"output": str(tmp_path / "undisturbed"), "checkpoint_seconds": 60})

    with pod(told, tmp_path / "first"):
        layout = wait_for(lambda: ready(told), "the first pod is ready", PATIENCE).layout
        start = starting_point(told, layout)
        task = TrainTask(round=1, adapter=str(start), output=str(start.with_name("update-1.safetensors")))
        (Path(told.output) / "orders").mkdir(exist_ok=True)
        hand(told, "first", task)
        wait_for(lambda: step(told) > 2, "it is in the round", PATIENCE)
    reached = step(told)
    assert 2 < reached < STEPS
    assert not Path(task.output).exists()
    assert orders.handed(told) is not None, "what the first pod left is as it was"

    with pod(told, tmp_path / "second") as trainer:
        wait_for(lambda: ready(told), "the second pod is ready", PATIENCE)
        assert orders.handed(told) is None, "nobody waits for the first pod's order any more"
        hand(told, "second", task)
        said = wait_for(lambda: answered(told, "second"), "the round is trained", PATIENCE)
    assert f"round 1: goes on after step {reached} of {STEPS}" in trainer.log.read_text()
    assert isinstance(said.outcome, LlavaTrained), said.failed

    steps = Steps(undisturbed)
    steps.download_model()
    steps.fetch_data("facebook")
    steps.clean_data()
    other = Path(undisturbed.output) / "rounds/update-1.safetensors"
    other.parent.mkdir(parents=True)
    files.replace(other.with_name("global.safetensors"), start.read_bytes())
    steps.train_llava(1, str(other.with_name("global.safetensors")), str(other), lambda *_: None)
    assert adapters.digest(Path(task.output)) == adapters.digest(other)
