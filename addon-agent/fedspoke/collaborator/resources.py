"""What may be looked at beside the tools, while one is at work, too: numbers of the records, profiles, and the end of the log."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from anyio import to_thread
from mcp.server.fastmcp import FastMCP
from pydantic_core import to_json

from fedspoke.collaborator.tail import LINES, Tail

if TYPE_CHECKING:  # it imports torch; the process that loads it says when
    from fedspoke.collaborator.steps import Steps

RECORDS, PROFILES, LOG = "fedspoke://records", "fedspoke://profiles", "fedspoke://log"


def offer(server: FastMCP[Any], steps: "Future[Steps]", tail: Tail) -> None:
    """Let clients of this server read them."""

    async def read(look: Callable[["Steps"], object]) -> str:
        found = await to_thread.run_sync(lambda: look(steps.result()))
        return to_json(found, by_alias=True, indent=1).decode()

    @server.resource(RECORDS, title="The training records, in numbers", mime_type="application/json")
    async def records() -> str:
        """By platform: how many, with how many photos, how long, in which languages, from when to when. No text of any."""
        return await read(lambda steps: steps.records())

    @server.resource(PROFILES, title="The profiles", mime_type="application/json")
    async def profiles() -> str:
        """Those that generate_profile has made, as they are shared."""
        return await read(lambda steps: steps.profiles())

    @server.resource(LOG, title="The end of the log", description=f"Our own last {LINES} lines.", mime_type="text/plain")
    async def log() -> str:
        """Our own sentences alone."""
        return tail.text()
