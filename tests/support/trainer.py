"""A real MCP server that trains by adding a number, as a program: `-m support.trainer SETTINGS BEHAVIOUR`, both JSON."""

import os
import secrets
import sys
from collections.abc import Awaitable, Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import uvicorn
from mcp.server.fastmcp import FastMCP
from mcp.server.fastmcp.exceptions import ToolError
from mcp.types import CallToolResult, TextContent

from fedspoke.api.names import Platform
from fedspoke.api.profiles import Profile
from fedspoke.api.records import CollaboratorSettings, HeldOut, Record
from fedspoke.collaborator.answers import (
    PASSING,
    DataCleaned,
    DataFetched,
    Evaluated,
    LlavaTrained,
    ModelReady,
    Post,
    PostsListed,
    PostsSetAside,
    ProfileMade,
    TopicNamed,
)
from fedspoke.collaborator.curation import Reason
from support import adapters


class Behaviour(Record):
    """How a trainer differs from one that does all that it is told."""

    add: float = 1.0
    examples: int = 1
    layers: int = 2
    fail: dict[str, str] = {}  # step, `train_llava 2` for instance: the sentence with which it fails
    passing: bool = False  # whether it says of a failure that it may pass
    slow: float = 0  # seconds that cleaning takes
    die: int = 0  # the round in whose training the process dies
    refuse: str | None = None  # why it shares no profile
    listed: int = 3  # posts of each platform that it shows to a crew
    gated: bool = False  # whether it does no more steps than the file `permits` beside its token says


class Book:
    """The steps that were done, a line each in the file `steps` beside the token; more than are permitted wait."""

    def __init__(self, folder: Path, behaviour: Behaviour) -> None:
        self._folder, self._fail, self._gated = folder, behaviour.fail, behaviour.gated

    async def enter(self, step: str) -> None:
        """Once the step is permitted, unless it fails. Whoever is gone by then has not had it done."""
        if step in self._fail:
            raise ToolError(self._fail[step])
        file = self._folder / "steps"
        while self._gated and len(done(self._folder)) >= int((self._folder / "permits").read_text()):
            await anyio.sleep(0.01)
        with file.open("a") as book:
            book.write(f"{step}\n")


def post_id(platform: Platform, number: int) -> str:
    """Of a post that it shows."""
    return sha256(f"{platform} {number}".encode()).hexdigest()[:16]


def done(folder: Path) -> list[str]:
    """The steps that a trainer did whose token is in this folder."""
    file = folder / "steps"
    return file.read_text().splitlines() if file.exists() else []


class _Fake(FastMCP):
    """Says of its failures that they may pass, if they are to."""

    passing = False

    async def call_tool(self, name: str, arguments: dict[str, Any]) -> Any:
        try:
            return await super().call_tool(name, arguments)
        except ToolError as error:
            if not self.passing:
                raise
            return CallToolResult(content=[TextContent(type="text", text=str(error))], isError=True, _meta={PASSING: True})


def main(settings: CollaboratorSettings, behaviour: Behaviour) -> None:
    server = _Fake("fake", stateless_http=True)
    server.passing = behaviour.passing
    may = Book(Path(settings.mcp_token).parent, behaviour).enter

    @server.tool()
    async def download_model() -> ModelReady:
        await may("download_model")
        return ModelReady(layout=adapters.layout(layers=behaviour.layers))

    @server.tool()
    async def fetch_data(platform: Platform) -> DataFetched:
        await may(f"fetch_data {platform}")
        return DataFetched(posts=5, skipped={})

    @server.tool()
    async def clean_data() -> DataCleaned:
        await anyio.sleep(behaviour.slow)
        await may("clean_data")
        return DataCleaned(records={"facebook": 5}, dropped={})

    _curated(server, behaviour, may)

    @server.tool()
    async def train_llava(round: int, adapter: str, output: str) -> LlavaTrained:  # noqa: A002  the tool's word
        await may(f"train_llava {round}")
        if behaviour.die == round:
            os._exit(1)
        Path(output).parent.mkdir(parents=True, exist_ok=True)
        start = adapters.load(Path(adapter))
        adapters.save({name: values + np.float16(behaviour.add) for name, values in start.items()}, Path(output))
        return LlavaTrained(examples=behaviour.examples, loss=1 / round, seconds=0.1)

    @server.tool()
    async def evaluate(adapter: str) -> Evaluated:
        await may("evaluate")
        return Evaluated(held_out=HeldOut(posts=1, before=2, after=1))  # as if the federation had halved the loss

    @server.tool()
    async def generate_profile(platform: Platform) -> ProfileMade:
        await may(f"generate_profile {platform}")
        if behaviour.refuse is not None:
            return ProfileMade(refused=behaviour.refuse)
        return ProfileMade(
            profile=Profile(
                cluster=settings.cluster,
                platform=platform,
                posts=5,
                first=None,
                last=None,
                encoder="0" * 64,
                embedding=(1.0,),
                noise=None,
            )
        )

    Path(settings.mcp_token).write_text(secrets.token_urlsafe())
    uvicorn.run(server.streamable_http_app(), host="127.0.0.1", port=settings.mcp_port, log_level="warning")


def _curated(server: FastMCP, behaviour: Behaviour, may: Callable[[str], Awaitable[None]]) -> None:
    @server.tool()
    async def list_posts(platform: Platform, offset: int, limit: int) -> PostsListed:
        posts = [Post(id=post_id(platform, number), text=f"{platform} post {number}") for number in range(behaviour.listed)]
        return PostsListed(posts=tuple(posts[offset : offset + limit]), total=len(posts))

    @server.tool()
    async def set_aside(platform: Platform, ids: list[str], reason: Reason) -> PostsSetAside:
        await may(f"set_aside {platform} {reason} {len(ids)}")
        return PostsSetAside(left=behaviour.listed - len(ids))

    @server.tool()
    async def name_topic(platform: Platform, ids: list[str], topic: str) -> TopicNamed:
        await may(f"name_topic {platform} {topic} {len(ids)}")
        return TopicNamed(named=len(ids))


if __name__ == "__main__":
    main(CollaboratorSettings.model_validate_json(sys.argv[1]), Behaviour.model_validate_json(sys.argv[2]))
