"""One order from its message to its answer; the trainer is a real MCP server, the hub a real HTTP server."""

import hashlib
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flwr.app import Context, Message, RecordDict
from flwr.supercore.task_identity import TaskIdentity
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from fedspoke.api.records import (
    CollaboratorSettings,
    Failure,
    Finished,
    FinishOrder,
    HeldOut,
    Order,
    Prepared,
    PrepareOrder,
    Preparing,
    Trained,
    TrainOrder,
)
from fedspoke.collaborator import client_app, workflow
from fedspoke.flower.messages import pack, unpack
from fedspoke.hub import loopback
from support import adapters
from support.envoy import wait_for
from support.flow import flowing
from support.flower import fake_trainer, with_fake_trainer
from support.trainer import Behaviour

PREPARED = Prepared(cluster="cluster1", posts={"facebook": 5}, layout=adapters.layout())


@contextmanager
def collaborator(tmp_path: Path, behaviour: Behaviour | None = None) -> Iterator[CollaboratorSettings]:
    """A cluster, with a flow and a trainer if that has a behaviour, and a hub that gives one adapter and takes all it is sent."""
    adapter = adapters.save(adapters.filled(adapters.layout(), 1), tmp_path / "start.safetensors").read_bytes()

    async def answer(request: Request) -> Response:
        return Response(adapter) if request.method == "GET" else JSONResponse({}, 201)

    app = Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "PUT"])])
    with loopback.serving(app, 0) as port:
        settings = with_fake_trainer(tmp_path, port)
        with ExitStack() as stack:
            if behaviour:
                stack.enter_context(fake_trainer(settings, tmp_path / "trainer.log", behaviour))
                stack.enter_context(flowing(settings))
                wait_for(lambda: workflow.file(settings).exists() and workflow.load(settings).prepared, "it is ready")
            yield settings


def asked(settings: CollaboratorSettings, kind: str, order: Order, ttl: float = 60) -> Message:
    file = Path(settings.output) / "collaborator.json"
    file.write_text(settings.model_dump_json(by_alias=True))
    TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = 1, 2, 3  # Flower's processes know whose they are
    context = Context(run_id=1, node_id=2, node_config={"settings": str(file)}, state=RecordDict(), run_config={})
    return client_app.app(Message(pack(order), 2, kind, ttl=ttl), context)


def train(settings: CollaboratorSettings, number: int = 1, seconds: float = 60, ttl: float = 60) -> Trained | Failure:
    digest = hashlib.sha256((Path(settings.output).parent / "start.safetensors").read_bytes()).hexdigest()
    until = datetime.now(UTC) + timedelta(seconds=seconds)
    order = TrainOrder(run=settings.run, until=until, round=number, digest=digest)
    answer = unpack(asked(settings, "train", order, ttl), Trained, Failure)
    assert isinstance(answer, Trained | Failure)
    return answer


def test_each_round_has_a_file_of_its_own_and_the_older_ones_go(tmp_path: Path) -> None:
    with collaborator(tmp_path, Behaviour()) as settings:
        answers = [train(settings, number) for number in (1, 2)]
    assert [answer.round for answer in answers if isinstance(answer, Trained)] == [1, 2]
    assert [path.name for path in (tmp_path / "out" / "rounds").glob("update*")] == ["update-2.safetensors"]


def test_a_collaborator_that_is_not_ready_yet_says_which_step_is_at_work(tmp_path: Path) -> None:
    with collaborator(tmp_path) as settings:
        at = datetime(2026, 11, 21, 12, tzinfo=UTC)
        workflow.save(settings, workflow.Workflow(step="download_model", since=at, again="no network"))
        answer = client_app._steps(settings, until=time.monotonic() + 60, told=time.monotonic())
    assert answer == Preparing(cluster="cluster1", step="download_model", since=at, again="no network")


def test_a_trainer_that_is_being_made_ready_again_is_waited_for_and_named(tmp_path: Path) -> None:
    with collaborator(tmp_path) as settings:
        workflow.save(settings, workflow.Workflow(step="download_model"))
        answer = train(settings, seconds=0.5)
    assert isinstance(answer, Failure)
    assert answer.message == "cluster1 was still at the step download_model when the order's time was over"


def test_a_step_that_failed_the_second_time_fails_the_round(tmp_path: Path) -> None:
    with collaborator(tmp_path) as settings:
        workflow.save(settings, workflow.Workflow(step="clean_data", error="no record is left"))
        answer = train(settings)
    assert isinstance(answer, Failure)
    assert answer.message == "clean_data: no record is left"


@pytest.mark.parametrize(("seconds", "ttl"), [(-1.0, 60.0), (0.3, 3600.0), (3600.0, 0.3)], ids=["over", "the hub's", "Flower's"])
def test_whichever_clock_says_first_that_an_orders_time_is_over_counts(tmp_path: Path, seconds: float, ttl: float) -> None:
    with collaborator(tmp_path) as settings:
        workflow.save(settings, workflow.Workflow(step="download_model"))
        answer = train(settings, seconds=seconds, ttl=ttl)
    assert isinstance(answer, Failure)
    assert ("time was over" if seconds > 0 else "the order came to cluster1 after its time") in answer.message


def test_an_account_of_the_trainer_that_is_of_no_use_is_said_by_its_field(tmp_path: Path) -> None:
    with collaborator(tmp_path, Behaviour(examples=0)) as settings:
        answer = train(settings)
    assert isinstance(answer, Failure)
    assert answer.message == (
        "the trainer's account of round 1 is of no use: examples: Input should be greater than or equal to 1"
    )


@pytest.mark.parametrize(
    ("behaviour", "passing"),
    [
        pytest.param(Behaviour(fail={"train_llava 1": "training diverged"}), False, id="a failure for good"),
        pytest.param(Behaviour(fail={"train_llava 1": "the disk is full"}, passing=True), True, id="one that may pass"),
        pytest.param(Behaviour(die=1), True, id="a trainer that died"),
    ],
)
def test_a_failure_says_whether_another_attempt_may_succeed(tmp_path: Path, behaviour: Behaviour, passing: bool) -> None:
    with collaborator(tmp_path, behaviour) as settings:
        answer = train(settings)
    assert isinstance(answer, Failure)
    assert answer.passing is passing


def test_the_end_tells_what_the_final_adapter_is_worth_on_posts_held_out(tmp_path: Path) -> None:
    with collaborator(tmp_path, Behaviour()) as settings:
        digest = adapters.digest(tmp_path / "start.safetensors")
        order = FinishOrder(run=settings.run, until=datetime.now(UTC) + timedelta(seconds=60), round=3, digest=digest)
        answer = unpack(asked(settings, "query.finish", order), Finished, Failure)
    assert isinstance(answer, Finished)
    assert (answer.shared, answer.held_out) == (("facebook",), HeldOut(posts=1, before=2, after=1))


def test_an_order_without_a_ticket_is_not_answered_with_what_the_cluster_has(tmp_path: Path) -> None:
    async def refuse(request: Request) -> Response:
        return JSONResponse({"error": "no node of cluster1 was given this ticket"}, 403)

    with collaborator(tmp_path) as settings, loopback.serving(Starlette(routes=[Route("/{path:path}", refuse)]), 0) as port:
        elsewhere = settings.model_copy(update={"gateway": f"127.0.0.1:{port}"})
        order = PrepareOrder(run="test.tiny", until=datetime.now(UTC) + timedelta(seconds=60), ticket="stale")
        answer = unpack(asked(elsewhere, "query.prepare", order), Prepared, Failure)
    assert isinstance(answer, Failure)
    assert "no node of cluster1 was given this ticket" in answer.message
