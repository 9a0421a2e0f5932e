"""A real mcp-server in a process of its own, and the official client to talk to it."""

import json
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult, TextContent
from PIL import Image

from fedspoke.api.records import CollaboratorSettings
from support.envoy import wait_for

_SERVE = """
import sys
from fedspoke.api.records import CollaboratorSettings
from fedspoke.collaborator.mcp_server import serve
serve(CollaboratorSettings.model_validate_json(sys.stdin.buffer.read()))
"""


@dataclass(frozen=True)
class McpServer:
    """One that listens."""

    settings: CollaboratorSettings
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.settings.mcp_port}/mcp"

    @property
    def token(self) -> str:
        return Path(self.settings.mcp_token).read_text()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serving(settings: CollaboratorSettings, log: Path) -> Iterator[McpServer]:
    with log.open("wb") as sink:
        process = subprocess.Popen([sys.executable, "-c", _SERVE], stdin=subprocess.PIPE, stderr=sink)
    assert process.stdin is not None
    process.stdin.write(settings.model_dump_json(by_alias=True).encode())
    process.stdin.close()

    def listens() -> bool:
        assert process.poll() is None, log.read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", settings.mcp_port)) == 0

    try:
        wait_for(listens, "mcp-server listens")
        yield McpServer(settings, process, log)
    finally:
        process.kill()
        process.wait(10)


@asynccontextmanager
async def session(server: McpServer) -> AsyncIterator[ClientSession]:
    headers = {"Authorization": f"Bearer {server.token}"}
    async with (
        httpx.AsyncClient(headers=headers, timeout=120) as http,
        streamable_http_client(server.url, http_client=http) as (reading, writing, _),
        ClientSession(reading, writing) as client,
    ):
        await client.initialize()
        yield client


def answer(result: CallToolResult) -> dict[str, Any]:
    """What a tool answered; fails with the tool's own sentence if it failed."""
    assert not result.isError, refusal(result)
    assert result.structuredContent is not None
    return result.structuredContent


def refusal(result: CallToolResult) -> str:
    """The sentence with which a tool failed."""
    assert result.isError
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


def facebook_export(folder: Path, posts: int) -> Path:
    """An export in Facebook's present layout; every other post has a photo."""
    posted = []
    for number in range(posts):
        entry: dict[str, Any] = {
            "timestamp": 1_700_000_000 + 86_400 * number,
            "data": [{"post": f"A walk by the sea, day {number}"}],
        }
        if number % 2:
            uri = f"your_facebook_activity/posts/media/{number}.jpg"
            (folder / uri).parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (80, 64), (20 * number % 256, 90, 160)).save(folder / uri)
            entry["attachments"] = [{"data": [{"media": {"uri": uri}}]}]
        posted.append(entry)
    listed = folder / "your_facebook_activity" / "posts" / "your_posts_1.json"
    listed.parent.mkdir(parents=True, exist_ok=True)
    listed.write_text(json.dumps(posted))
    return folder
