import json
import signal
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from mcp import ClientSession
from safetensors.numpy import save_file

from fedspoke.api.records import CollaboratorSettings, Profile, Tensor
from fedspoke.api.training import Profiles, Training
from fedspoke.collaborator.answers import LlavaTrained, ModelReady
from support.mcp import McpServer, answer, facebook_export, free_port, refusal, serving, session
from support.text_encoder import minilm
from support.tiny import tiny_llava

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> CollaboratorSettings:
    folder = tmp_path_factory.mktemp("collaborator")
    return CollaboratorSettings(
        run="ml.demo",
        cluster="cluster1",
        datasets={"facebook": str(facebook_export(folder / "export", posts=8))},
        output=str(folder / "output"),
        training=Training.model_validate(
            {"model": {"name": str(tiny_llava())}, "epochs": 2, "batchSize": 2, "gradientAccumulation": 1}
        ),
        profiles=Profiles(encoder=str(minilm()), min_posts=5),
        gateway="127.0.0.1:1",
        mcp_port=free_port(),
        mcp_token=str(folder / "output" / "mcp-token"),
        supernode_port=1,
    )


@pytest.fixture(scope="module")
def server(settings: CollaboratorSettings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[McpServer]:
    with serving(settings, tmp_path_factory.mktemp("logs") / "mcp.log") as running:
        yield running


def start(settings: CollaboratorSettings, layout: Iterable[Tensor]) -> Path:
    """A round's starting point: an adapter that changes nothing yet, since B is 0."""
    path = Path(settings.output) / "received" / "0.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(0)
    tensors = {t.name: draw.normal(0, 0.0 if "lora_B" in t.name else 0.1, t.shape).astype(np.float16) for t in layout}
    save_file(tensors, path)
    return path


async def prepared(client: ClientSession) -> tuple[Tensor, ...]:
    layout = ModelReady.model_validate(answer(await client.call_tool("download_model"))).layout
    answer(await client.call_tool("fetch_data", {"platform": "facebook"}))
    answer(await client.call_tool("clean_data"))
    return layout


async def test_a_federation_s_steps_in_their_order(server: McpServer, settings: CollaboratorSettings) -> None:
    heard: list[tuple[float, float | None, str | None]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append((progress, total, message))

    async with session(server) as client:
        layout = ModelReady.model_validate(answer(await client.call_tool("download_model"))).layout
        fetched = answer(await client.call_tool("fetch_data", {"platform": "facebook"}))
        cleaned = answer(await client.call_tool("clean_data"))
        first, second = start(settings, layout), Path(settings.output) / "trained" / "1.safetensors"
        trained = LlavaTrained.model_validate(
            answer(
                await client.call_tool(
                    "train_llava", {"round": 1, "adapter": str(first), "output": str(second)}, progress_callback=hear
                )
            )
        )
        made = answer(await client.call_tool("generate_profile", {"platform": "facebook", "adapter": str(second)}))

    assert (fetched["posts"], cleaned["records"]) == (8, {"facebook": 8})
    assert trained.examples == 8
    assert second.stat().st_size > 0
    assert [(step, steps) for step, steps, _ in heard] == [(step, 8) for step in range(1, 9)]
    assert all(message and message.startswith("loss ") for _, _, message in heard)
    profile = Profile.model_validate(made["profile"])
    assert (profile.cluster, profile.posts, len(profile.embedding)) == ("cluster1", 8, 384)
    assert profile.loss_after < profile.loss_before
    assert profile.noise is not None
    assert "walk" not in json.dumps(made)


async def test_exactly_the_five_tools_are_offered_with_what_they_answer(server: McpServer) -> None:
    async with session(server) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert sorted(tools) == ["clean_data", "download_model", "fetch_data", "generate_profile", "train_llava"]
    assert sorted(tools["train_llava"].inputSchema["properties"]) == ["adapter", "output", "round"]
    answers = tools["train_llava"].outputSchema
    assert answers is not None
    assert sorted(answers["properties"]) == ["examples", "loss", "seconds"]


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer"}], ids=["none", "wrong", "empty"]
)
async def test_a_request_without_the_token_is_refused(server: McpServer, headers: dict[str, str]) -> None:
    async with httpx.AsyncClient() as client:
        response = await client.post(server.url, headers=headers, json={})
    assert response.status_code == 401


async def test_a_request_for_another_host_name_is_refused_even_with_the_token(server: McpServer) -> None:
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {server.token}"}) as client:
        response = await client.post(server.url, headers={"Host": "evil.example"}, json={})
    assert response.status_code == 421


async def test_only_its_user_can_read_the_token(server: McpServer, settings: CollaboratorSettings) -> None:
    assert stat.S_IMODE(Path(settings.mcp_token).stat().st_mode) == 0o600


async def test_a_file_outside_the_output_is_refused_in_one_sentence(server: McpServer, settings: CollaboratorSettings) -> None:
    async with session(server) as client:
        await prepared(client)
        result = await client.call_tool("train_llava", {"round": 1, "adapter": "/etc/passwd", "output": "/etc/trained"})
    assert refusal(result) == f"/etc/passwd lies outside the collaborator's output; name a file below {settings.output}"


async def test_a_wrong_argument_is_told_without_its_value(server: McpServer) -> None:
    async with session(server) as client:
        result = await client.call_tool("fetch_data", {"platform": "a secret"})
    assert refusal(result) == "fetch_data was called with a wrong platform: Input should be 'facebook' or 'instagram'"


async def test_sigterm_ends_it(settings: CollaboratorSettings, tmp_path: Path) -> None:
    own = settings.model_copy(update={"mcp_port": free_port(), "mcp_token": str(tmp_path / "token")})
    with serving(own, tmp_path / "log") as server:
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(20) == 128 + signal.SIGTERM
