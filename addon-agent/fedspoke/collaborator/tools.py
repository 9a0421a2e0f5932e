"""The collaborator's steps as MCP tools: one at a time, in a worker thread, so that the server answers while one trains.

What fails is told in one sentence that may leave the cluster; the traceback stays in this process's log.
"""

import logging
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
from anyio import from_thread, to_thread
from mcp.server.fastmcp import Context, FastMCP
from mcp.server.fastmcp.exceptions import ToolError
from mcp.server.session import ServerSession
from mcp.server.transport_security import TransportSecuritySettings
from mcp.types import CallToolResult, ContentBlock, TextContent
from pydantic import ValidationError

from fedspoke.api.errors import Failed, Final, Refused
from fedspoke.api.names import Platform
from fedspoke.collaborator.answers import PASSING, DataCleaned, DataFetched, Evaluated, LlavaTrained, ModelReady, ProfileMade

if TYPE_CHECKING:  # it imports torch; the process that loads it says when
    from fedspoke.collaborator.steps import Steps

Caller = Context[ServerSession, Any, Any]
T = TypeVar("T")

_log = logging.getLogger(__name__)


def tools(steps: "Future[Steps]", port: int) -> FastMCP:
    """The MCP server with its six tools. Each call stands alone (stateless): a caller that goes away ends what it asked for."""
    hosts = [f"127.0.0.1:{port}", f"localhost:{port}"]
    server = _Server(
        "fedspoke",
        instructions="Trains LLaVA on this cluster's posts: download_model, fetch_data, clean_data, then train_llava each round.",
        stateless_http=True,
        transport_security=TransportSecuritySettings(allowed_hosts=hosts, allowed_origins=[f"http://{host}" for host in hosts]),
    )
    turn = anyio.Lock()

    async def run(step: Callable[["Steps"], T]) -> T:
        if turn.locked():
            _log.info("a call waits until the one before it has ended")
        async with turn:
            return await to_thread.run_sync(lambda: step(steps.result()))

    @server.tool()
    async def download_model() -> ModelReady:
        """Find or fetch the model and load it; it stays loaded. Answers with the layout of its adapter."""
        return await run(lambda steps: steps.download_model())

    @server.tool()
    async def fetch_data(platform: Platform) -> DataFetched:
        """Read this cluster's export of one platform. Answers with counts."""
        return await run(lambda steps: steps.fetch_data(platform))

    @server.tool()
    async def clean_data() -> DataCleaned:
        """Make training records of all posts that were fetched. Answers with counts."""
        return await run(lambda steps: steps.clean_data())

    @server.tool()
    async def train_llava(round: int, adapter: str, output: str, caller: Caller) -> LlavaTrained:  # noqa: A002  the field's word
        """Train one round from the adapter in the file `adapter` to the one in `output`; reports each step's loss."""

        def progress(step: int, steps: int, loss: float) -> None:
            from_thread.check_cancelled()  # the caller went away: nobody would use the rest
            from_thread.run(caller.report_progress, step, steps, f"loss {loss:.4f}")

        return await run(lambda steps: steps.train_llava(round, adapter, output, progress))

    @server.tool()
    async def evaluate(adapter: str) -> Evaluated:
        """Measure the base model and the adapter in the file `adapter` on the held-out posts; write captions for some."""
        return await run(lambda steps: steps.evaluate(adapter))

    @server.tool()
    async def generate_profile(platform: Platform) -> ProfileMade:
        """Describe one platform's posts as they may be shared, or say why they are not."""
        return await run(lambda steps: steps.generate_profile(platform))

    return server


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


class _Server(FastMCP[Any]):
    """Tells failures in our words and logs them; the SDK would send any exception's text."""

    async def call_tool(  # type: ignore[override]  # the server takes a result as it is, which FastMCP's type leaves out
        self, name: str, arguments: dict[str, Any]
    ) -> Sequence[ContentBlock] | dict[str, Any] | CallToolResult:
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
