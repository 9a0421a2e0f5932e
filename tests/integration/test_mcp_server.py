"""`fedspoke mcp` as a process, with the official client."""

import json
import signal
import stat
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from mcp import ClientSession, McpError
from mcp.types import TextResourceContents
from pydantic import AnyUrl

from fedspoke.api.profiles import Profile
from fedspoke.api.records import CollaboratorSettings
from fedspoke.collaborator.answers import LlavaTrained, ModelReady
from support.collaborator import facebook, settings, starting_point
from support.language_model import LanguageModel
from support.mcp import McpServer, answer, command, free_port, refusal, serving, session, stdio_session

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> CollaboratorSettings:
    folder = tmp_path_factory.mktemp("collaborator")
    return settings(folder, {"facebook": facebook(folder / "export", 8)}, mcp_port=free_port())


@pytest.fixture(scope="module")
def server(told: CollaboratorSettings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[McpServer]:
    with serving(told, tmp_path_factory.mktemp("server")) as running:
        yield running


async def prepared(client: ClientSession) -> None:
    for tool, arguments in (("download_model", {}), ("fetch_data", {"platform": "facebook"}), ("clean_data", {})):
        answer(await client.call_tool(tool, arguments))


async def text(client: ClientSession, uri: str) -> str:
    """What a resource says."""
    (content,) = (await client.read_resource(AnyUrl(uri))).contents
    assert isinstance(content, TextResourceContents)
    return content.text


async def test_the_steps_of_a_federation_in_their_order(server: McpServer, told: CollaboratorSettings) -> None:
    heard: list[tuple[float, float | None, str | None]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append((progress, total, message))

    async with session(server.url, server.token) as client:
        too_early = await client.call_tool("clean_data")
        layout = ModelReady.model_validate(answer(await client.call_tool("download_model"))).layout
        fetched = answer(await client.call_tool("fetch_data", {"platform": "facebook"}))
        cleaned = answer(await client.call_tool("clean_data"))
        first, second = starting_point(told, layout), Path(told.output) / "rounds" / "update.safetensors"
        order = {"round": 1, "adapter": str(first), "output": str(second)}
        trained = LlavaTrained.model_validate(answer(await client.call_tool("train_llava", order, progress_callback=hear)))
        outside = await client.call_tool("train_llava", order | {"adapter": "/etc/passwd"})
        made = answer(await client.call_tool("generate_profile", {"platform": "facebook"}))

    assert refusal(too_early) == "clean_data lacks facebook posts; call fetch_data first"
    assert (fetched["posts"], cleaned["records"]) == (8, {"facebook": 8})
    assert trained.held_out is not None
    assert (trained.examples, trained.held_out.posts) == (7, 1)
    assert second.stat().st_size > 0
    assert [(step, steps) for step, steps, _ in heard] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert all(message and message.startswith("loss ") for _, _, message in heard)
    assert refusal(outside) == f"/etc/passwd lies outside the collaborator's output; name a file below {told.output}"
    profile = Profile.model_validate(made["profile"])
    assert (profile.posts, len(profile.embedding)) == (8, 384)
    output = Path(told.output)
    made_here = [output, *(path for path in output.rglob("*") if "rounds" not in path.parts)]
    assert {path.name for path in made_here} >= {"records", "images", "cleaned_data.json", "profile.json", "lora_weights"}
    assert not [path for path in made_here if path.stat().st_mode & 0o077], "only this cluster may read"


async def test_exactly_the_six_tools_are_offered_with_what_they_answer(server: McpServer) -> None:
    async with session(server.url, server.token) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert sorted(tools) == ["clean_data", "download_model", "evaluate", "fetch_data", "generate_profile", "train_llava"]
    for tool in tools.values():
        assert tool.title
        assert tool.description
        assert tool.outputSchema
        assert all(each["description"] for each in tool.inputSchema["properties"].values())
    train = tools["train_llava"]
    assert sorted(train.inputSchema["properties"]) == ["adapter", "output", "round"]
    assert train.outputSchema is not None
    assert sorted(train.outputSchema["properties"]) == ["examples", "heldOut", "ledger", "loss", "releases", "seconds"]


async def test_what_there_is_to_look_at_says_numbers_and_no_post(server: McpServer, told: CollaboratorSettings) -> None:
    async with session(server.url, server.token) as client:
        await prepared(client)
        assert not (await client.call_tool("generate_profile", {"platform": "facebook"})).isError
        there = {str(each.uri): each for each in (await client.list_resources()).resources}
        said = {uri: await text(client, uri) for uri in there}
        with pytest.raises(McpError, match="Unknown resource: fedspoke://secrets"):
            await client.read_resource(AnyUrl("fedspoke://secrets"))
    assert sorted(there) == ["fedspoke://log", "fedspoke://profiles", "fedspoke://records"]
    records = json.loads(said["fedspoke://records"])
    assert (records["facebook"]["records"], records["facebook"]["withPhoto"]) == (8, 4)
    assert (records["facebook"]["first"], records["facebook"]["last"]) == ("1970-01-02", "1970-01-09")
    (profile,) = json.loads(said["fedspoke://profiles"])
    assert Profile.model_validate(profile).posts == 8
    assert "clean_data: done" in said["fedspoke://log"]
    assert not [uri for uri, words in said.items() if "walk" in words]


async def test_a_desktop_client_has_all_of_it_on_standard_input_and_output(told: CollaboratorSettings, tmp_path: Path) -> None:
    own = told.model_copy(update={"output": str(tmp_path / "output"), "mcp_token": str(tmp_path / "token")})
    heard: dict[str, list[float]] = {}

    async def step(client: ClientSession, tool: str, **arguments: object) -> dict[str, Any]:
        async def hear(progress: float, total: float | None, message: str | None) -> None:
            heard.setdefault(tool, []).append(progress)

        return answer(await client.call_tool(tool, arguments, progress_callback=hear))

    async with stdio_session(own, tmp_path) as client:
        too_early = refusal(await client.call_tool("clean_data"))
        layout = ModelReady.model_validate(await step(client, "download_model")).layout
        await step(client, "fetch_data", platform="facebook")
        await step(client, "clean_data")
        start = starting_point(own, layout)
        await step(client, "train_llava", round=1, adapter=str(start), output=f"{start}.trained")
        await step(client, "evaluate", adapter=f"{start}.trained")
        await step(client, "generate_profile", platform="facebook")
        records = json.loads(await text(client, "fedspoke://records"))
    assert too_early == "clean_data lacks facebook posts; call fetch_data first"
    assert records["facebook"]["records"] == 8
    assert sorted(heard) == ["clean_data", "download_model", "evaluate", "fetch_data", "generate_profile", "train_llava"]
    assert all(numbers == sorted(set(numbers)) for numbers in heard.values())
    assert not (tmp_path / "token").exists()  # nobody else can call it
    assert "mcp-server of cluster1 answers on its standard output" in (tmp_path / "stdio.log").read_text()


def test_standard_output_has_answers_alone_and_the_server_ends_with_its_client(
    told: CollaboratorSettings, tmp_path: Path
) -> None:
    client = {"name": "test", "version": "1"}
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client}
    asked = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "clean_data", "arguments": {}}},
    ]
    program = [*command(told.model_copy(update={"output": str(tmp_path / "output")}), tmp_path), "--stdio"]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        print(*map(json.dumps, asked), sep="\n", file=process.stdin, flush=True)
        answers = [json.loads(process.stdout.readline()) for _ in range(2)]
        rest, log = process.communicate(timeout=60)
    assert [each["id"] for each in answers] == [1, 2]
    assert answers[1]["result"]["isError"]
    assert (rest, process.returncode) == ("", 0)
    assert "clean_data: clean_data lacks facebook posts" in log


async def test_who_starts_the_server_itself_is_shown_no_post_though_a_crew_would_be(
    told: CollaboratorSettings, tmp_path: Path
) -> None:
    curated = {"curation": LanguageModel(1).curation(), "output": str(tmp_path / "output")}
    async with stdio_session(told.model_copy(update=curated), tmp_path) as client:
        assert sorted(tool.name for tool in (await client.list_tools()).tools) == [
            "clean_data", "download_model", "evaluate", "fetch_data", "generate_profile", "train_llava"
        ]  # fmt: skip


async def test_a_wrong_argument_is_told_without_its_value(server: McpServer) -> None:
    async with session(server.url, server.token) as client:
        result = await client.call_tool("fetch_data", {"platform": "a secret"})
    assert refusal(result) == "fetch_data was called with a wrong platform: Input should be 'facebook' or 'instagram'"


@pytest.mark.parametrize("header", [None, "", "Bearer", "Basic {token}", "Bearer {token}0", "Bearer wrong"])
async def test_a_request_without_the_token_is_refused(server: McpServer, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header.format(token=server.token)}
    async with httpx.AsyncClient() as client:
        response = await client.post(server.url, headers=headers, json={})
    assert response.status_code == 401


@pytest.mark.parametrize(("header", "status"), [({"Host": "evil.example"}, 421), ({"Origin": "http://evil.example"}, 403)])
async def test_a_web_page_of_another_name_is_refused_even_with_the_token(
    server: McpServer, header: dict[str, str], status: int
) -> None:
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {server.token}"}) as client:
        response = await client.post(server.url, headers=header, json={})
    assert response.status_code == status


async def test_only_its_user_can_read_the_token(server: McpServer) -> None:
    assert stat.S_IMODE(Path(server.settings.mcp_token).stat().st_mode) == 0o600


async def test_a_second_server_on_the_port_is_refused_and_leaves_the_token_alone(server: McpServer, tmp_path: Path) -> None:
    token = server.token
    second = subprocess.run(command(server.settings, tmp_path), capture_output=True, text=True, timeout=300, check=False)
    assert second.returncode == 2
    address = f"127.0.0.1:{server.settings.mcp_port}"
    assert second.stderr == f"fedspoke: mcp-server cannot listen on {address}: Address already in use; name a free mcpPort\n"
    assert server.token == token


async def test_it_ends_at_once_when_told_to(told: CollaboratorSettings, tmp_path: Path) -> None:
    own = told.model_copy(update={"mcp_port": free_port(), "mcp_token": str(tmp_path / "token")})
    with serving(own, tmp_path) as server:
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(20) == 128 + signal.SIGTERM


async def test_told_to_end_while_it_trains_it_ends_after_the_step_at_work_and_the_next_one_goes_on_there(
    told: CollaboratorSettings, tmp_path: Path
) -> None:
    many = told.training.model_copy(update={"steps": 400, "epochs": None})
    changes = {"output": str(tmp_path / "output"), "mcp_port": free_port(), "mcp_token": str(tmp_path / "token")}
    own = told.model_copy(update=changes | {"training": many, "checkpoint_seconds": 3600})
    heard: list[int] = []

    async def train(server: McpServer, steps: int) -> int:
        """A round, of which this process is told to end after so many steps. Returns its exit status."""
        told = len(heard) + steps

        async def hear(progress: float, total: float | None, message: str | None) -> None:
            heard.append(int(progress))
            if len(heard) == told:
                server.process.send_signal(signal.SIGTERM)

        async with anyio.create_task_group() as calls, session(server.url, server.token) as client:
            layout = ModelReady.model_validate(answer(await client.call_tool("download_model"))).layout
            await prepared(client)
            start = starting_point(own, layout)
            order = {"round": 1, "adapter": str(start), "output": f"{start}.trained"}
            calls.start_soon(partial(client.call_tool, "train_llava", order, progress_callback=hear))
            status = await anyio.to_thread.run_sync(server.process.wait, 60)
            calls.cancel_scope.cancel()
        return status

    for _ in range(2):
        with serving(own, tmp_path) as server:
            assert await train(server, 3) == 128 + signal.SIGTERM
    assert heard == sorted(set(heard))
    assert len(heard) >= 6
