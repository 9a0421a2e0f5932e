"""The collaborator's steps as MCP tools: one at a time, in a worker thread, so that the server answers while one trains.

What fails is told in one sentence that may leave the cluster; the traceback stays in this process's log.
"""

import itertools
import logging
import traceback
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO, TypeVar

import anyio
from anyio import from_thread, to_thread
from mcp.server.fastmcp import Context, FastMCP
from mcp.server.fastmcp.exceptions import ResourceError, ToolError
from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.session import ServerSession
from mcp.server.stdio import stdio_server
from mcp.server.transport_security import TransportSecuritySettings
from mcp.types import CallToolResult, ContentBlock, TextContent, ToolAnnotations
from pydantic import AnyUrl, Field, ValidationError

from fedspoke.api.errors import Failed, Final, Refused
from fedspoke.api.names import Platform
from fedspoke.collaborator.answers import PASSING, DataCleaned, DataFetched, Evaluated, LlavaTrained, ModelReady, ProfileMade
from fedspoke.collaborator.ending import Ending
from fedspoke.collaborator.wanted import StillWanted, Tell

if TYPE_CHECKING:  # it imports torch; the process that loads it says when
    from fedspoke.collaborator.steps import Steps

Caller = Context[ServerSession, Any, Any]
T = TypeVar("T")

_log = logging.getLogger(__name__)

PLATFORM = Field(description="Whose export: one that this cluster declares.")
REPEATABLE = ToolAnnotations(readOnlyHint=False, destructiveHint=False, idempotentHint=True, openWorldHint=False)


def tools(steps: "Future[Steps]", port: int, ending: Ending) -> "Server":
    """The MCP server with its six tools. Each call stands alone (stateless): a caller that goes away ends what it asked for."""
    hosts = [f"127.0.0.1:{port}", f"localhost:{port}"]
    server = Server(
        "fedspoke",
        instructions=(
            "Trains LLaVA on this cluster's posts. Call download_model, fetch_data for each platform, clean_data, then "
            "train_llava for each round, and at the end evaluate and generate_profile. Any of them may be called again."
        ),
        stateless_http=True,
        transport_security=TransportSecuritySettings(allowed_hosts=hosts, allowed_origins=[f"http://{host}" for host in hosts]),
    )
    turn = anyio.Lock()

    async def run(step: Callable[["Steps"], T]) -> T:
        if turn.locked():
            _log.info("a call waits until the one before it has ended")
        async with turn:
            return await to_thread.run_sync(lambda: step(steps.result()))

    @server.tool(title="Get the model ready", annotations=REPEATABLE)
    async def download_model(caller: Caller) -> ModelReady:
        """Find or fetch the model and load it; it stays loaded. Answers with the layout of its adapter."""
        return await run(lambda steps: steps.download_model(telling(caller)))

    @server.tool(title="Read an export", annotations=REPEATABLE)
    async def fetch_data(platform: Annotated[Platform, PLATFORM], caller: Caller) -> DataFetched:
        """Read this cluster's export of one platform. Answers with counts."""
        return await run(lambda steps: steps.fetch_data(platform, telling(caller)))

    @server.tool(title="Make training records", annotations=REPEATABLE)
    async def clean_data(caller: Caller) -> DataCleaned:
        """Make training records of all posts that were fetched. Answers with counts."""
        return await run(lambda steps: steps.clean_data(telling(caller)))

    @server.tool(title="Train a round", annotations=REPEATABLE)
    async def train_llava(
        round: Annotated[int, Field(ge=1, description="Which round it is: it decides the learning rate and the posts' order.")],  # noqa: A002  the field's word
        adapter: Annotated[str, Field(description="The safetensors file to start from, below the collaborator's output.")],
        output: Annotated[str, Field(description="The safetensors file to write, below the collaborator's output.")],
        caller: Caller,
    ) -> LlavaTrained:
        """Train one round from the adapter in the file `adapter` to the one in `output`; reports each step's loss."""

        def train(steps: "Steps") -> LlavaTrained:
            with ending.training():
                return steps.train_llava(round, adapter, output, stepping(caller, until_ended(ending)))

        return await run(train)

    @server.tool(title="Measure an adapter", annotations=REPEATABLE)
    async def evaluate(
        adapter: Annotated[str, Field(description="The safetensors file to measure, below the collaborator's output.")],
        caller: Caller,
    ) -> Evaluated:
        """Measure the base model and the adapter in the file `adapter` on the held-out posts; write captions for some."""
        return await run(lambda steps: steps.evaluate(adapter, telling(caller)))

    @server.tool(title="Describe a platform's posts", annotations=REPEATABLE)
    async def generate_profile(platform: Annotated[Platform, PLATFORM], caller: Caller) -> ProfileMade:
        """Describe one platform's posts as they may be shared, or say why they are not."""
        return await run(lambda steps: steps.generate_profile(platform, telling(caller)))

    return server


def telling(caller: Caller) -> Tell:
    """A progress notification for each word. There is no telling of how many: a step has parts of several kinds."""
    said = itertools.count(1)

    def tell(words: str) -> None:
        from_thread.check_cancelled()
        from_thread.run(caller.report_progress, next(said), None, words)

    return tell


def until_ended(ending: Ending) -> StillWanted:
    """As long as the caller stays and the process does."""

    def still_wanted() -> None:
        ending.check()
        from_thread.check_cancelled()

    return still_wanted


def stepping(caller: Caller, still_wanted: StillWanted) -> Callable[[int, int, float], None]:
    """A progress notification for each step of a round, unless nobody would use the rest."""

    def progress(step: int, steps: int, loss: float) -> None:
        still_wanted()
        from_thread.run(caller.report_progress, step, steps, f"loss {loss:.4f}")

    return progress


def sentence(error: BaseException) -> str:
    """What may be told of a failure: our own words; else only its kind and place, since its text may quote a post or a file."""
    kind = type(error).__name__
    if isinstance(error, Refused | Failed):
        return " ".join(str(error).split())
    if isinstance(error, OSError) and error.strerror:
        return f"{kind}: {error.strerror}; the log of mcp-server says more"
    if isinstance(error, MemoryError):
        return "the collaborator's memory does not suffice; more of it is needed than client.resources gives"
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{kind}{place}; the log of mcp-server says more"


def _innermost(error: BaseException) -> BaseException:
    while error.__context__:
        error = error.__context__
    return error


class Server(FastMCP[Any]):
    """Tells failures in our words and logs them; the SDK would send any exception's text."""

    async def serve_stdio(self, requests: TextIO, answers: TextIO) -> None:
        """Answer one client until it closes its end."""
        async with stdio_server(anyio.wrap_file(requests), anyio.wrap_file(answers)) as (reading, writing):
            await self._mcp_server.run(reading, writing, self._mcp_server.create_initialization_options())

    async def read_resource(self, uri: AnyUrl | str) -> Iterable[ReadResourceContents]:
        """Of the resource of this name."""
        try:
            return await super().read_resource(uri)
        except ResourceError as error:
            if error.__context__ is None:  # no such resource
                raise
            raise ResourceError(sentence(_innermost(error))) from None

    async def call_tool(  # type: ignore[override]  # the server takes a result as it is, which FastMCP's type leaves out
        self, name: str, arguments: dict[str, Any]
    ) -> Sequence[ContentBlock] | dict[str, Any] | CallToolResult:
        """What the tool answers."""
        try:
            answer = await super().call_tool(name, arguments)
        except ToolError as error:
            cause = error.__cause__
            if cause is None:  # no such tool
                raise
            if isinstance(cause, ValidationError) and cause.title == f"{name}Arguments":
                first = cause.errors()[0]
                said, passing = f"{name} was called with a wrong {'.'.join(map(str, first['loc']))}: {first['msg']}", False
            else:  # of what is unforeseen nobody knows whether it passes, and another attempt is cheap
                said, passing = sentence(cause), not isinstance(cause, Final | Refused)
            _log.error("%s: %s", name, said, exc_info=None if isinstance(cause, Final | Refused) else cause)
            return CallToolResult(content=[TextContent(type="text", text=said)], isError=True, _meta={PASSING: passing})
        except anyio.get_cancelled_exc_class():
            _log.warning("%s: given up, since the caller went away", name)
            raise
        _log.info("%s: done", name)
        return answer
