"""The tools over real HTTP, with steps that tell the test what happens to them instead of training."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
import uvicorn
from anyio import from_thread
from mcp import ClientSession, McpError
from mcp.shared.memory import create_connected_server_and_client_session
from mcp.types import CancelledNotification, CancelledNotificationParams, ClientNotification
from pydantic import ValidationError

from fedspoke.api.errors import Failed, Final, Refused
from fedspoke.api.names import Platform
from fedspoke.collaborator import mcp_server
from fedspoke.collaborator.answers import DataFetched, LlavaTrained
from fedspoke.collaborator.ending import Ending
from fedspoke.collaborator.steps import Steps
from fedspoke.collaborator.tools import tools
from fedspoke.collaborator.trainer import Trainer
from fedspoke.collaborator.wanted import Tell
from support.collaborator import facebook, settings, starting_point
from support.mcp import answer, free_port, refusal, session

pytestmark = pytest.mark.anyio

ROUND = {"round": 1, "adapter": "/output/a", "output": "/output/b"}


class FakeSteps:
    """Trains until it is told to stop; fails as it is told to."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.training = 0
        self.most_at_once = 0
        self.began = threading.Event()
        self.ended = threading.Event()
        self.stop = threading.Event()

    def fetch_data(self, platform: Platform, tell: Tell) -> DataFetched:
        tell("the export is opened")
        tell("posts found: 1")
        if self.failure:
            raise self.failure
        return DataFetched(posts=1, skipped={})

    def train_llava(self, number: int, adapter: str, output: str, progress: Callable[[int, int, float], None]) -> LlavaTrained:
        self.training += 1
        self.began.set()
        self.most_at_once = max(self.most_at_once, self.training)
        try:
            progress(1, 2, 0.5)
            while not self.stop.wait(0.01):
                progress(1, 2, 0.5)
        finally:
            self.training -= 1
            self.ended.set()
        return LlavaTrained(examples=1, loss=0.5, seconds=0)


def reached(url: str, folder: Path) -> Trainer:
    """The server at this URL as flower-client has it."""
    told = settings(folder, {}, mcp_port=httpx.URL(url).port or 0)
    Path(told.mcp_token).parent.mkdir()
    Path(told.mcp_token).write_text("any")
    return Trainer(told)


def refused_by_pydantic(value: str) -> ValidationError:
    """As when a step reads a file that holds this value."""
    with pytest.raises(ValidationError, match=value) as refusal:
        DataFetched.model_validate({"posts": value, "skipped": {}})
    return refusal.value


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def offered(steps: FakeSteps | Steps) -> AsyncIterator[str]:
    """The tools' URL."""
    loaded: Future[Any] = Future()
    loaded.set_result(steps)
    port = free_port()
    server = uvicorn.Server(
        uvicorn.Config(
            tools(loaded, port, Ending()).streamable_http_app(),
            port=port,
            log_config=None,
            ws="none",
            timeout_graceful_shutdown=1,
        )
    )
    async with anyio.create_task_group() as group:
        group.start_soon(server.serve)
        with anyio.fail_after(10):
            while not server.started:
                await anyio.sleep(0.01)
        yield f"http://127.0.0.1:{port}/mcp"
        if isinstance(steps, FakeSteps):
            steps.stop.set()
        server.should_exit = True


async def test_a_caller_that_goes_away_ends_the_training_it_asked_for() -> None:
    steps = FakeSteps()
    async with offered(steps) as url:
        async with anyio.create_task_group() as calls, session(url) as client:
            calls.start_soon(client.call_tool, "train_llava", ROUND)  # asks for no progress, so that nothing is sent to it
            assert await anyio.to_thread.run_sync(steps.began.wait, 10)
            calls.cancel_scope.cancel()
        assert await anyio.to_thread.run_sync(steps.ended.wait, 10)
        assert not steps.stop.is_set()
        async with session(url) as client:
            assert answer(await client.call_tool("fetch_data", {"platform": "facebook"}))["posts"] == 1


async def test_a_client_without_http_ends_what_it_asked_for_by_saying_so() -> None:
    """As a desktop client does when a person presses stop: the connection stays."""
    steps, loaded = FakeSteps(), Future[Any]()
    loaded.set_result(steps)
    async with (
        create_connected_server_and_client_session(tools(loaded, 1, Ending())._mcp_server) as client,
        anyio.create_task_group() as calls,
    ):
        first = client._request_id
        calls.start_soon(partial(call_and_be_refused, client))
        assert await anyio.to_thread.run_sync(steps.began.wait, 10)
        params = CancelledNotificationParams(requestId=first)
        await client.send_notification(ClientNotification(CancelledNotification(params=params)))
        assert await anyio.to_thread.run_sync(steps.ended.wait, 10)
        assert not steps.stop.is_set()
        assert answer(await client.call_tool("fetch_data", {"platform": "facebook"}))["posts"] == 1


async def call_and_be_refused(client: ClientSession) -> None:
    with pytest.raises(McpError, match="cancelled"):
        await client.call_tool("train_llava", ROUND)


async def test_each_word_of_a_step_is_a_progress_notification_with_a_higher_number() -> None:
    heard: list[tuple[float, str | None]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append((progress, message))

    async with offered(FakeSteps()) as url, session(url) as client:
        answer(await client.call_tool("fetch_data", {"platform": "facebook"}, progress_callback=hear))
    assert heard == [(1, "the export is opened"), (2, "posts found: 1")]


async def test_the_flow_hears_how_far_a_step_is(tmp_path: Path) -> None:
    heard: list[str] = []
    async with offered(FakeSteps()) as url:
        trainer = reached(url, tmp_path)
        call = partial(trainer.call, "fetch_data", {"platform": "facebook"}, DataFetched, tell=heard.append)
        await anyio.to_thread.run_sync(call)
    assert heard == ["the export is opened", "posts found: 1"]


class Device:
    """Is at its first pass until the caller is gone."""

    def __init__(self) -> None:
        self.passes = 0
        self.began = threading.Event()

    def __call__(self, *_: Any) -> None:
        self.passes += 1
        self.began.set()
        for _tick in range(2000):
            try:
                from_thread.check_cancelled()
            except asyncio.CancelledError:
                return
            threading.Event().wait(0.01)
        raise AssertionError("the caller did not go away")


@pytest.mark.parametrize("tool", ["train_llava", "evaluate", "generate_profile"])
async def test_a_caller_that_goes_away_ends_what_it_asked_for_within_a_batch(tool: str, tmp_path: Path) -> None:
    told = settings(tmp_path, {"facebook": facebook(tmp_path / "f", 8)})
    training = told.training.model_copy(update={"holdout": 0.5, "batch_size": 1})
    told = told.model_copy(update={"training": training, "profiles": told.profiles.model_copy(update={"visual": True})})
    steps, device = mcp_server._steps(told, Ending()), Device()
    start = str(starting_point(told, steps.download_model().layout))
    steps.fetch_data("facebook")
    steps.clean_data()
    assert steps._trainer
    assert steps._encoder
    for module in (steps._trainer._model.get_base_model(), steps._encoder._model):
        module.register_forward_pre_hook(device)
    arguments: dict[str, dict[str, Any]] = {
        "train_llava": {"round": 1, "adapter": start, "output": f"{start}.trained"},
        "evaluate": {"adapter": start},
        "generate_profile": {"platform": "facebook"},
    }

    async with offered(steps) as url:
        async with anyio.create_task_group() as calls, session(url) as client:
            calls.start_soon(client.call_tool, tool, arguments[tool])
            assert await anyio.to_thread.run_sync(device.began.wait, 10)
            calls.cancel_scope.cancel()
        async with session(url) as client:
            answer(await client.call_tool("download_model"))  # waits until the one before it has ended
    assert device.passes == 1
    assert not (Path(told.output) / "profiles").exists()


async def test_the_server_answers_while_it_trains_and_trains_one_round_at_a_time() -> None:
    steps, trained = FakeSteps(), []
    async with offered(steps) as url, session(url) as client, anyio.create_task_group() as calls:
        began = anyio.Event()

        async def begin(progress: float, total: float | None, message: str | None) -> None:
            began.set()

        async def train() -> None:
            trained.append(answer(await client.call_tool("train_llava", ROUND, progress_callback=begin)))

        calls.start_soon(train)
        calls.start_soon(train)
        await began.wait()
        assert len((await client.list_tools()).tools) == 6
        steps.stop.set()
    assert len(trained) == 2
    assert steps.most_at_once == 1


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        pytest.param(Failed("the export\nholds no post"), "the export holds no post", id="our own words, on one line"),
        pytest.param(
            OSError(28, "No space left on device", "/data/my-diary.jpg"),
            "OSError: No space left on device; ",
            id="a file's name stays",
        ),
        pytest.param(MemoryError(), "the collaborator's memory does not suffice; more of it", id="memory"),
        pytest.param(ValueError("bad text: dear diary"), "ValueError at test_mcp_tools.py:", id="a post's text stays"),
        pytest.param(refused_by_pydantic("dear diary"), "ValidationError at ", id="what a file held stays"),
        pytest.param(caused(Failed("no post is left"), ValueError("dear diary")), "no post is left", id="a cause stays"),
    ],
)
async def test_a_failure_is_told_in_a_sentence_that_may_leave_the_cluster(failure: Exception, told: str) -> None:
    async with offered(FakeSteps(failure)) as url, session(url) as client:
        said = refusal(await client.call_tool("fetch_data", {"platform": "facebook"}))
    assert said.startswith(told)
    assert "diary" not in said


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        pytest.param(Final("training diverged"), Final, id="final"),
        pytest.param(Refused("no such export"), Final, id="refused"),
        pytest.param(Failed("the model hub does not answer"), Failed, id="failed"),
        pytest.param(OSError(28, "No space left on device"), Failed, id="unforeseen"),
    ],
)
async def test_a_caller_hears_whether_another_attempt_may_succeed(failure: Exception, kind: type[Failed], tmp_path: Path) -> None:
    async with offered(FakeSteps(failure)) as url:
        call = partial(reached(url, tmp_path).call, "fetch_data", {"platform": "facebook"}, DataFetched)
        with pytest.raises(Failed) as heard:
            await anyio.to_thread.run_sync(call)
    assert type(heard.value) is kind


@pytest.mark.parametrize(
    ("tool", "arguments", "told"),
    [
        ("fetch_data", {"platform": "dear diary"}, "fetch_data was called with a wrong platform: "),
        ("fetch_data", {"platform": ["dear diary"]}, "fetch_data was called with a wrong platform: "),
        ("train_llava", ROUND | {"round": "dear diary"}, "train_llava was called with a wrong round: "),
        ("train_llava", ROUND | {"output": {"dear": "diary"}}, "train_llava was called with a wrong output: "),
        ("fetch_data", {"note": "dear diary"}, "fetch_data was called with a wrong platform: "),
    ],
)
async def test_a_wrong_argument_is_told_by_its_name_alone(tool: str, arguments: dict[str, Any], told: str) -> None:
    async with offered(FakeSteps()) as url, session(url) as client:
        said = refusal(await client.call_tool(tool, arguments))
    assert said.startswith(told)
    assert "diary" not in said


async def test_the_names_of_a_persons_folders_stay_on_the_cluster(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for posts, name in enumerate(("facebook-anna.smith-2024", "facebook-anna.smith-2025"), 1):
        facebook(tmp_path / "dataset" / name, posts)
    async with offered(Steps(settings(tmp_path, {"facebook": tmp_path / "dataset"}))) as url, session(url) as client:
        said = refusal(await client.call_tool("fetch_data", {"platform": "facebook"}))
    assert said == f"{tmp_path}/dataset holds 2 exports; give each a folder of its own, and name one of them"
    assert "facebook-anna.smith-2024" in caplog.text


async def test_an_unknown_tool_is_told_so() -> None:
    async with offered(FakeSteps()) as url, session(url) as client:
        assert refusal(await client.call_tool("delete_everything")) == "Unknown tool: delete_everything"
