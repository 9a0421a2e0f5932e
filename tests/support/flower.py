"""A hub and its spokes on loopback: real Flower, real processes, a trainer that trains by adding, and a gateway without TLS."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psutil
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from fedspoke.api.federated_learning import Lora, Profiles, Server, Training
from fedspoke.api.names import identity
from fedspoke.api.records import AggregatorSettings, CollaboratorSettings, Progress, RoundRecord
from fedspoke.hub import loopback
from support import profiles as built
from support.mcp import free_port
from support.trainer import Behaviour

_OBEDIENT = Behaviour()
_PROGRAM = "fedspoke.cli"


@dataclass
class Spoke:
    """One collaborator: flower-client and its trainer."""

    settings: CollaboratorSettings
    trainer: subprocess.Popen[bytes]
    client: subprocess.Popen[bytes]


@dataclass
class Hub:
    """The aggregator of one federation, and what a test reads of it."""

    settings: AggregatorSettings
    folder: Path
    aggregator: subprocess.Popen[bytes]
    profiles: dict[str, bytes] = field(default_factory=dict)
    """What the fusion service was given, by the path's end."""

    @property
    def state(self) -> Path:
        return Path(self.settings.state)

    def progress(self) -> Progress | None:
        path = self.state / "progress.json"
        return Progress.model_validate_json(path.read_bytes()) if path.exists() else None

    def rounds(self) -> list[RoundRecord]:
        return [RoundRecord.model_validate_json(line) for line in (self.state / "rounds.jsonl").read_text().splitlines()]


@contextmanager
def federation(
    folder: Path, clusters: tuple[str, ...], *, profiles: bool = False, superlink_port: int = 0, hub_runs: str = _PROGRAM
) -> Iterator["Site"]:
    """A hub whose aggregator is run by this module; its spokes are started by `Site.spoke`. Nothing of it is left afterwards."""
    with ExitStack() as stack:
        hub = Hub.__new__(Hub)
        fusion = stack.enter_context(loopback.serving(_fusion(hub), 0))
        settings = AggregatorSettings(
            run="test.tiny",
            clusters=clusters,
            server=Server(rounds=2, min_available_clients=2, round_timeout=timedelta(minutes=2)),
            lora=Lora(rank=2),
            model="tiny",
            holdout=False,
            profiles=profiles,
            state=str(folder / "hub"),
            superlink_port=superlink_port or free_port(),
            adapters_port=free_port(),
            fusion=f"127.0.0.1:{fusion}",
            deadline=datetime.now(UTC) + timedelta(minutes=30),
        )
        aggregator = stack.enter_context(_process("aggregator", settings, folder / "aggregator", hub_runs))
        Hub.__init__(hub, settings, folder, aggregator)
        yield Site(hub, stack)


@dataclass
class Site:
    """The hub, and where spokes are added."""

    hub: Hub
    _stack: ExitStack

    def restart(self) -> None:
        """The aggregator ends and another one is started in its place, as when its pod moves."""
        self.hub.aggregator.send_signal(signal.SIGTERM)
        self.hub.aggregator.wait(20)
        again = _process("aggregator", self.hub.settings, self.hub.folder / "again")
        self.hub.aggregator = self._stack.enter_context(again)

    def spoke(self, cluster: str, behaviour: Behaviour = _OBEDIENT, certificate: str = "") -> Spoke:
        """A collaborator of this cluster and its trainer; its certificate may be another cluster's."""
        folder = self.hub.folder / cluster
        folder.mkdir()
        gateway = self._stack.enter_context(loopback.serving(_gateway(self.hub.settings, certificate or cluster), 0))
        settings = CollaboratorSettings(
            run=self.hub.settings.run,
            cluster=cluster,
            datasets={"facebook": "unused"},
            output=str(folder / "out"),
            training=Training(lora=Lora(rank=2)),
            rounds=2,
            profiles=Profiles(),
            gateway=f"127.0.0.1:{gateway}",
            mcp_port=free_port(),
            mcp_token=str(folder / "token"),
            supernode_port=free_port(),
        )
        return Spoke(
            settings,
            self._stack.enter_context(fake_trainer(settings, folder / "trainer.log", behaviour)),
            self._stack.enter_context(collaborating(settings, folder / "client")),
        )


def with_fake_trainer(folder: Path, gateway: int) -> CollaboratorSettings:
    """One cluster's settings, whose output is in the folder; its data is never read, as a fake trainer reads none."""
    (folder / "out").mkdir()
    return CollaboratorSettings(
        run="test.tiny",
        cluster="cluster1",
        datasets={"facebook": "unused"},
        output=str(folder / "out"),
        training=Training(),
        rounds=2,
        profiles=Profiles(),
        gateway=f"127.0.0.1:{gateway}",
        mcp_port=free_port(),
        mcp_token=str(folder / "token"),
        supernode_port=free_port(),
    )


@contextmanager
def fake_trainer(
    settings: CollaboratorSettings, log: Path, behaviour: Behaviour = _OBEDIENT
) -> Iterator[subprocess.Popen[bytes]]:
    """A trainer's process."""
    with log.open("wb") as sink:
        command = [sys.executable, "-m", "support.trainer", settings.model_dump_json(), behaviour.model_dump_json()]
        process = subprocess.Popen(command, stdout=sink, stderr=sink, cwd=Path(__file__).parents[1])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def collaborating(settings: CollaboratorSettings, stem: Path) -> AbstractContextManager[subprocess.Popen[bytes]]:
    """`fedspoke collaborator`, with its settings and its log beside each other."""
    return _process("collaborator", settings, stem)


def any_ticket() -> Starlette:
    """A hub that takes every ticket and does nothing else."""

    async def take(request: Request) -> Response:
        return JSONResponse({}, 200 if "fedspoke-ticket" in request.headers else 404)

    return Starlette(routes=[Route("/v1/runs/{run}/rounds/1/adapter", take, methods=["GET"])])


def below(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """The process and all that it started."""
    root = psutil.Process(process.pid)
    return [root, *root.children(recursive=True)]


@contextmanager
def _process(
    command: str, settings: AggregatorSettings | CollaboratorSettings, stem: Path, module: str = _PROGRAM
) -> Iterator[subprocess.Popen[bytes]]:
    file = stem.with_suffix(".json")
    file.write_text(settings.model_dump_json(by_alias=True))
    program = [sys.executable, "-m", module, command, "--settings", str(file)]
    with stem.with_suffix(".log").open("wb") as sink:
        process = subprocess.Popen(program, stdout=sink, stderr=sink, cwd=Path(__file__).parents[1])
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(20)


def _gateway(settings: AggregatorSettings, cluster: str) -> Starlette:
    """What Envoy does, without TLS: routes, and says whose certificate it was."""
    client = httpx.AsyncClient(trust_env=False, timeout=120)

    async def forward(request: Request) -> Response:
        path = request.url.path
        if path.startswith("/v1/fleet/"):
            upstream = f"127.0.0.1:{settings.superlink_port}"
        elif path.endswith("/adapter"):
            upstream = f"127.0.0.1:{settings.adapters_port}"
        else:
            upstream = settings.fusion
        headers = {name: value for name, value in request.headers.items() if name not in ("host", "x-forwarded-client-cert")}
        headers["x-forwarded-client-cert"] = f"URI={identity('test', cluster)}"
        try:
            answer = await client.request(
                request.method,
                f"http://{upstream}{path}",
                headers=headers,
                content=await request.body(),
                params=request.query_params,
            )
        except httpx.TransportError:
            return Response("upstream connect error", 503)
        kept = {name: value for name, value in answer.headers.items() if name not in ("content-length", "transfer-encoding")}
        return Response(answer.content, answer.status_code, kept)

    return Starlette(routes=[Route("/{path:path}", forward, methods=["GET", "PUT", "POST", "DELETE"])])


def _fusion(hub: Hub) -> Starlette:
    """Takes profiles; its general profile says whose it has."""

    async def take(request: Request) -> Response:
        hub.profiles[
            "/".join([request.headers["x-forwarded-client-cert"], request.path_params["platform"]])
        ] = await request.body()
        return JSONResponse({}, 201)

    async def give(request: Request) -> Response:
        if not hub.profiles:
            return JSONResponse({"error": "no profile came"}, 404)
        general = built.general(sorted(sender.split("/")[-2] for sender in hub.profiles))
        return Response(general.model_dump_json(by_alias=True))

    return Starlette(
        routes=[
            Route("/v1/runs/test.tiny/profiles/{platform}", take, methods=["PUT"]),
            Route("/v1/runs/test.tiny/general-profile", give, methods=["GET"]),
        ]
    )
