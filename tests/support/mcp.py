"""A real mcp-server in a process of its own, and the official client to talk to it."""

import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult, TextContent

from fedspoke.api.records import CollaboratorSettings
from support.envoy import wait_for


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


def command(settings: CollaboratorSettings, folder: Path) -> list[str]:
    file = folder / "collaborator.json"
    file.write_text(settings.model_dump_json(by_alias=True))
    return [sys.executable, "-m", "fedspoke.cli", "mcp", "--settings", str(file)]


@contextmanager
def serving(settings: CollaboratorSettings, folder: Path) -> Iterator[McpServer]:
    log = folder / "mcp-server.log"
    with log.open("wb") as sink:
        process = subprocess.Popen(command(settings, folder), stderr=sink)

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
async def session(url: str, token: str = "") -> AsyncIterator[ClientSession]:
    async with (
        httpx.AsyncClient(headers={"Authorization": f"Bearer {token}"} if token else {}, timeout=120) as http,
        streamable_http_client(url, http_client=http) as (reading, writing, _),
        ClientSession(reading, writing) as client,
    ):
        await client.initialize()
        yield client


@asynccontextmanager
async def stdio_session(settings: CollaboratorSettings, folder: Path) -> AsyncIterator[ClientSession]:
    """As a desktop client does: it starts the server and speaks to its standard input."""
    program, *arguments = [*command(settings, folder), "--stdio"]
    with (folder / "stdio.log").open("w") as log:
        async with (
            stdio_client(StdioServerParameters(command=program, args=arguments, env=dict(os.environ)), log) as (reading, writing),
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
