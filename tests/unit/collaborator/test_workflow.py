"""The steps before the first round, and the thin ClientApp; the trainer is a real MCP server on loopback."""

import json
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flwr.app import Context, Message, RecordDict
from flwr.supercore.task_identity import TaskIdentity

from fedspoke.api.errors import Failed, Final
from fedspoke.api.records import CollaboratorSettings, Failure, Prepared, PrepareOrder, TrainOrder
from fedspoke.collaborator import client_app, workflow
from fedspoke.collaborator.answers import LlavaTrained
from fedspoke.collaborator.trainer import Trainer
from fedspoke.flower.messages import pack, unpack
from fedspoke.hub import loopback
from support import adapters
from support.envoy import wait_for
from support.flow import flowing
from support.flower import any_ticket, fake_trainer, with_fake_trainer
from support.mcp import free_port
from support.trainer import Behaviour


@pytest.fixture
def settings(tmp_path: Path) -> CollaboratorSettings:
    told = with_fake_trainer(tmp_path, free_port())
    workflow.save(told, workflow.begun(told))
    return told


@contextmanager
def trainer(settings: CollaboratorSettings, tmp_path: Path, **behaviour: Any) -> Iterator[Trainer]:
    with fake_trainer(settings, tmp_path / "trainer.log", Behaviour(**behaviour)):
        there = Trainer(settings)
        there.await_up(60)
        yield there


def asked(settings: CollaboratorSettings, kind: str, order: PrepareOrder | TrainOrder) -> Any:
    """What the ClientApp answers to an order."""
    file = Path(settings.output) / "collaborator.json"
    file.write_text(settings.model_dump_json(by_alias=True))
    TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = 1, 2, 3  # Flower's processes know whose they are
    context = Context(run_id=1, node_id=2, node_config={"settings": str(file)}, state=RecordDict(), run_config={})
    return client_app.app(Message(pack(order), 2, kind, ttl=5), context)


def train_order() -> TrainOrder:
    return TrainOrder(run="test.tiny", until=soon(), round=1, digest="0" * 64)


def prepare_order() -> PrepareOrder:
    return PrepareOrder(run="test.tiny", until=soon(), ticket="a ticket")


def soon() -> datetime:
    return datetime.now(UTC) + timedelta(seconds=30)


def asked_to_prepare(settings: CollaboratorSettings) -> Any:
    """What the ClientApp answers when the hub takes its ticket."""
    with loopback.serving(any_ticket(), 0) as port:
        there = settings.model_copy(update={"gateway": f"127.0.0.1:{port}"})
        return asked(there, "query.prepare", prepare_order())


def says(settings: CollaboratorSettings, **expected: object) -> Callable[[], bool]:
    return lambda: expected.items() <= dict(workflow.load(settings)).items()


def test_the_steps_end_with_what_the_hub_must_know(settings: CollaboratorSettings, tmp_path: Path) -> None:
    prepared = Prepared(cluster="cluster1", posts={"facebook": 5}, layout=adapters.layout())
    with trainer(settings, tmp_path), flowing(settings):
        wait_for(says(settings, step="ready", prepared=prepared, error=None), "it is ready")
    assert workflow.load(settings).done == ("wait for the trainer", "download_model", "fetch_data facebook", "clean_data")


def test_a_step_that_fails_is_named_with_the_trainers_sentence(settings: CollaboratorSettings, tmp_path: Path) -> None:
    with trainer(settings, tmp_path, fail={"fetch_data facebook": "the export holds no posts"}), flowing(settings, patience=0):
        wait_for(lambda: workflow.load(settings).error, "it fails")
        failure = unpack(asked_to_prepare(settings), Failure)
    assert (failure.cluster, failure.step) == ("cluster1", "prepare")
    assert failure.message.startswith("fetch_data facebook: Error executing tool fetch_data: the export holds no posts")


def test_a_trainer_that_was_started_anew_goes_through_the_steps_again(settings: CollaboratorSettings, tmp_path: Path) -> None:
    prepared = Prepared(cluster="cluster1", posts={"facebook": 5}, layout=adapters.layout())
    with flowing(settings, patience=0) as flow:
        with trainer(settings, tmp_path):
            wait_for(says(settings, prepared=prepared, error=None), "the first trainer is ready")
        wait_for(
            says(settings, prepared=None, step="wait for the trainer"), "a trainer that is gone is not ready, and is waited for"
        )
        with trainer(settings, tmp_path, fail={"fetch_data facebook": "the export holds no posts"}):
            wait_for(lambda: "holds no posts" in (workflow.load(settings).error or ""), "the second one says why it is not")
        with trainer(settings, tmp_path):
            wait_for(says(settings, prepared=prepared, error=None), "the third one is ready again")
        assert flow.is_alive()


def test_a_failure_that_may_pass_is_worked_at_for_a_while_before_an_order_hears_of_it() -> None:
    began = datetime(2026, 11, 21, 7, 31, 2, tzinfo=UTC)
    state = workflow.Workflow(step="download_model", error="the hub of models is away", passing=True)
    soon, late = (workflow.repeated(state, began, 300, began + timedelta(seconds=seconds)) for seconds in (299, 300))
    assert soon.error is None
    since = "the hub of models is away; repeated since 07:31:02"
    assert soon.again == f"{since}, until 07:36:02 UTC before an order hears of it"
    assert late.error == f"{since} UTC"


def test_an_order_hears_whether_a_failure_may_pass(settings: CollaboratorSettings) -> None:
    for passing, kind in ((True, Failed), (False, Final)):
        workflow.save(settings, workflow.Workflow(step="clean_data", error="no record is left", passing=passing))
        with pytest.raises(Failed, match="clean_data: no record is left") as raised:
            client_app._ready(settings, 0)
        assert type(raised.value) is kind


def test_another_trainers_readiness_is_none(settings: CollaboratorSettings) -> None:
    prepared = Prepared(cluster="cluster1", posts={"facebook": 3}, layout=adapters.layout())
    workflow.save(settings, workflow.Workflow(step="ready", prepared=prepared, trainer="another"))
    with pytest.raises(Failed, match="was still at the step ready when the order's time was over"):
        client_app._ready(settings, 0)


def test_the_order_to_prepare_is_answered_from_workflow_json(settings: CollaboratorSettings) -> None:
    prepared = Prepared(cluster="cluster1", posts={"facebook": 3}, layout=adapters.layout())
    workflow.save(settings, workflow.Workflow(step="ready", prepared=prepared))
    assert unpack(asked_to_prepare(settings), Prepared) == prepared


def test_a_trainer_that_never_comes_is_given_up_with_its_name(settings: CollaboratorSettings) -> None:
    with pytest.raises(Failed, match=r"the trainer \(mcp-server\) of cluster1 does not answer: .* \(tried for 0 s\)"):
        Trainer(settings).await_up(0)


def test_a_trainer_that_died_is_told_to_the_hub_and_not_a_silence(settings: CollaboratorSettings, tmp_path: Path) -> None:
    with trainer(settings, tmp_path):
        pass
    with pytest.raises(Failed, match=r"the trainer \(mcp-server\) of cluster1 does not answer: connection refused"):
        Trainer(settings).call("train_llava", {"round": 1}, LlavaTrained)


def test_a_trainer_that_dies_while_it_trains_is_noticed_at_once(settings: CollaboratorSettings, tmp_path: Path) -> None:
    arguments = {"round": 1, "adapter": "x", "output": str(tmp_path / "y")}
    with (
        trainer(settings, tmp_path, die=1) as there,
        pytest.raises(Failed, match=r"of cluster1 broke off during train_llava"),
    ):
        there.call("train_llava", arguments, LlavaTrained)


def test_a_tool_that_the_trainer_does_not_have_is_a_sentence(settings: CollaboratorSettings, tmp_path: Path) -> None:
    with trainer(settings, tmp_path) as there, pytest.raises(Failed, match="Unknown tool: dance"):
        there.call("dance", {}, LlavaTrained)


def test_a_hub_that_cannot_be_reached_is_a_failure_of_the_order(settings: CollaboratorSettings) -> None:
    prepared = Prepared(cluster="cluster1", posts={"facebook": 3}, layout=adapters.layout())
    workflow.save(settings, workflow.Workflow(step="ready", prepared=prepared))
    failure = unpack(asked(settings, "train", train_order()), Failure)
    assert failure.step == "train"
    assert "the adapter could not be fetched within" in failure.message


def test_an_unforeseen_error_leaves_the_cluster_as_its_kind_only(settings: CollaboratorSettings) -> None:
    (Path(settings.output) / "workflow.json").write_text('{"step": "a post that must not leave"}x')
    failure = unpack(asked_to_prepare(settings), Failure)
    assert failure.message == "ValidationError; the log of flower-client says more"


def test_a_message_of_another_version_is_refused_with_a_sentence(settings: CollaboratorSettings) -> None:
    failure = unpack(asked(settings, "train", prepare_order()), Failure)
    assert "holds no TrainOrder; do both ends run one version?" in failure.message


def test_what_it_writes_only_its_user_can_read(settings: CollaboratorSettings, tmp_path: Path) -> None:
    output = tmp_path / "new"
    (tmp_path / "settings.json").write_text(settings.model_copy(update={"output": str(output)}).model_dump_json())
    command = [sys.executable, "-m", "fedspoke.cli", "collaborator", "--settings", str(tmp_path / "settings.json")]
    with socket.create_server(("127.0.0.1", settings.supernode_port)):  # so that it ends soon after its first file
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1, ended.stderr
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in (output, output / "workflow.json")} == {
        "new": 0o700,
        "workflow.json": 0o600,
    }


def test_the_client_app_imports_no_torch() -> None:
    code = "import sys, json, fedspoke.collaborator.client_app; print(json.dumps(sorted(sys.modules)))"
    modules = json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout)
    assert not {"torch", "transformers", "peft", "PIL", "mcp"} & set(modules)
