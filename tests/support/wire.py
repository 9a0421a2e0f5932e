"""Both ends of the wire in one folder: `ca/`, `server/` and a folder for each cluster's certificate; a gateway, its sidecars."""

import http.client
import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from fedspoke.api.names import identity, server_name
from fedspoke.hub.gateway import Federation, Gateway
from fedspoke.manifestworks import sidecar
from support.certificates import HUB
from support.envoy import Envoy, running
from support.upstream import Upstream, serving

POSTS, OTHER = server_name("social", "posts"), server_name("social", "other")
RUN = "/v1/runs/social.posts"
POLL = "/v1/fleet/pull-messages"


def known(*clusters: str) -> tuple[str, ...]:
    """The identities of clusters."""
    return tuple(identity(HUB, cluster) for cluster in clusters)


@contextmanager
def services() -> Iterator[Mapping[str, Upstream]]:
    """The three that are behind a gateway."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(serving(name)) for name in ("superlink", "adapters", "fusion")}


def federation(name: str, behind: Mapping[str, Upstream], *clusters: str) -> Federation:
    ports = {service: upstream.port for service, upstream in behind.items()}
    return Federation(namespace="social", name=name, identities=known(*clusters), **ports)


def gateway(folder: Path) -> Gateway:
    """Any free port; Envoy tells which."""
    return Gateway(
        folder=str(folder / "gateway"),
        certificate=str(folder / "server"),
        authority=str(folder / "ca"),
        access_log=str(folder / "access.log"),
        host="127.0.0.1",
        port=0,
        admin=str(folder / "gateway.sock"),
    )


def dialling(folder: Path, cluster: str, port: int, server: str = POSTS) -> sidecar.Sidecar:
    """The sidecar of one cluster."""
    return sidecar.Sidecar(
        folder=str(folder / f"sidecar-{cluster}"),
        certificate=str(folder / cluster),
        authority=str(folder / "ca"),
        port=0,
        hub=("localhost", port),
        server_name=server,
        admin=str(folder / f"{cluster}.sock"),
    )


@contextmanager
def running_sidecar(wire: sidecar.Sidecar) -> Iterator[tuple[Envoy, http.client.HTTPConnection]]:
    """A sidecar, and a plaintext connection to it as the collaborator's processes have."""
    with running(Path(wire.folder), sidecar.files(wire)) as envoy:
        connection = http.client.HTTPConnection("127.0.0.1", envoy.port, timeout=10)
        try:
            yield envoy, connection
        finally:
            connection.close()


def ask(connection: http.client.HTTPConnection, method: str, path: str, **headers: str) -> tuple[int, Any]:
    """Status and body; a header is written with underscores."""
    connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    body = answer.read()
    return answer.status, json.loads(body) if body.startswith(b"{") else body


def requests(access_log: Path) -> list[dict[str, Any]]:
    """What the gateway's log says of requests; it is at most a second behind."""
    return [line for line in _lines(access_log) if "path" in line]


def refusals(access_log: Path) -> list[dict[str, Any]]:
    """What the gateway's log says of refused connections."""
    return [line for line in _lines(access_log) if "path" not in line]


def _lines(access_log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in access_log.read_text().splitlines(keepends=True) if line.endswith("\n")]
