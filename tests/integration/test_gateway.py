"""The gateway against real Envoys: who gets in, to what, and what the services behind it learn."""

import http.client
import json
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from fedspoke.hub import identity as caller
from fedspoke.hub.gateway import Federation, Gateway, files
from fedspoke.manifestworks import sidecar
from support import certificates, wire
from support.envoy import Envoy, refused_by_envoy, running, wait_for, write
from support.upstream import Upstream
from support.wire import OTHER, POLL, POSTS, RUN, ask


@dataclass(frozen=True)
class World:
    """A gateway with two federations: `posts` chose cluster1 and cluster2, `other` chose cluster3."""

    folder: Path
    gateway: Gateway
    posts: Federation
    other: Federation
    envoy: Envoy
    services: Mapping[str, Upstream]

    def dial(self, cluster: str | None, name: str = POSTS) -> http.client.HTTPConnection:
        own = self.folder / cluster if cluster else None
        plain = socket.create_connection(("127.0.0.1", self.envoy.port), timeout=10)
        connection = http.client.HTTPConnection(name)
        connection.auto_open = 0  # a connection that was closed must not come back unseen
        try:
            connection.sock = certificates.context(self.folder / "ca", own).wrap_socket(plain, server_hostname=name)
        except OSError:
            plain.close()
            raise
        return connection

    def ask(self, method: str, path: str, cluster: str | None = "cluster1", name: str = POSTS, **headers: str) -> tuple[int, Any]:
        connection = self.dial(cluster, name)
        try:
            return ask(connection, method, path, **headers)
        finally:
            connection.close()

    @property
    def seen(self) -> list[str]:
        return [request for service in self.services.values() for request in service.seen]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("w")
    ours, theirs = certificates.authority(), certificates.authority("someone else")
    certificates.bundle(folder / "ca", ours)
    certificates.server(folder / "server", ours, POSTS, OTHER)
    certificates.server(folder / "server-of-other", ours, OTHER)
    for cluster in ("cluster1", "cluster2", "cluster3", "cluster11"):
        certificates.client(folder / cluster, ours, cluster)
    certificates.client(folder / "of-another-authority", theirs, "cluster1")
    certificates.client(folder / "expired", ours, "cluster1", certificates.now() - timedelta(days=2))
    gateway = wire.gateway(folder)
    with wire.services() as behind:
        posts = wire.federation("posts", behind, "cluster1", "cluster2")
        other = wire.federation("other", behind, "cluster3")
        with running(folder / "gateway", files(gateway, [posts, other])) as envoy:
            yield World(folder, gateway, posts, other, envoy, behind)


@pytest.mark.parametrize("cluster", ["cluster1", "cluster2"])
@pytest.mark.parametrize(
    ("method", "path", "service"),
    [
        ("POST", POLL, "superlink"),
        ("GET", f"{RUN}/rounds/1/adapter", "adapters"),
        ("PUT", f"{RUN}/rounds/12/adapter", "adapters"),
        ("DELETE", f"{RUN}/adapter", "adapters"),
        ("PUT", f"{RUN}/profiles/facebook", "fusion"),
        ("PUT", f"{RUN}/profiles/instagram", "fusion"),
        ("GET", f"{RUN}/general-profile", "fusion"),
    ],
)
def test_a_chosen_cluster_reaches(world: World, cluster: str, method: str, path: str, service: str) -> None:
    status, answer = world.ask(method, path, cluster)
    assert (status, answer["service"], answer["path"]) == (200, service, path)


def test_the_services_learn_who_speaks_from_the_gateway_and_never_from_the_client(world: World) -> None:
    forged = f"Hash=00;URI={wire.known('cluster2')[0]}"
    _, answer = world.ask("GET", f"{RUN}/general-profile", x_forwarded_client_cert=forged)
    assert known_as(answer) == "cluster1"


def test_whoever_only_looks_whether_the_port_is_open_as_a_kubelet_does_is_no_line_in_the_log(world: World) -> None:
    log = Path(world.gateway.access_log)
    before = _refusals_until_now(world, log)
    for _ in range(3):
        socket.create_connection(("127.0.0.1", world.envoy.port), timeout=10).close()
    assert _refusals_until_now(world, log) == before


def _refusals_until_now(world: World, log: Path) -> int:
    """Envoy writes line after line: once a request is there, all that was before it is."""
    known = len(wire.requests(log)) if log.exists() else 0
    world.ask("GET", f"{RUN}/general-profile")
    wait_for(lambda: log.exists() and len(wire.requests(log)) > known, "the line of a request")
    return len(wire.refusals(log))


def known_as(answer: Any) -> str:
    """By the reading of the services behind the gateway."""
    return caller.cluster([answer["headers"][caller.HEADER]])


def test_a_client_does_not_steer_the_gateway_by_headers(world: World) -> None:
    steering = {"x_envoy_max_retries": "9", "x_envoy_retry_on": "5xx", "x_envoy_upstream_rq_timeout_ms": "1"}
    _, answer = world.ask("GET", f"{RUN}/general-profile", **steering)
    assert not {name.replace("_", "-") for name in steering} & set(answer["headers"])


@pytest.mark.parametrize(
    ("certificate", "alert"),
    [
        pytest.param(None, "CERTIFICATE_REQUIRED", id="no certificate"),
        pytest.param("of-another-authority", "UNKNOWN_CA", id="another authority's"),
        pytest.param("expired", "CERTIFICATE_EXPIRED", id="expired"),
        pytest.param("server", "ALERT", id="the gateway's own, which is for servers"),
    ],
)
def test_tls_refuses(world: World, certificate: str | None, alert: str) -> None:
    before = world.seen
    with pytest.raises(ssl.SSLError, match=alert):
        world.dial(certificate).sock.recv(1)  # in TLS 1.3 the server's verdict comes after the client's handshake
    assert world.seen == before


@pytest.mark.parametrize(
    ("cluster", "name"),
    [
        pytest.param("cluster3", POSTS, id="a cluster that was not chosen"),
        pytest.param("cluster11", POSTS, id="cluster11 where cluster1 is chosen"),
        pytest.param("cluster1", OTHER, id="another federation's server name"),
    ],
)
def test_the_gateway_closes_the_connection_of(world: World, cluster: str, name: str) -> None:
    before, denied = world.seen, world.envoy.stat(r".*\.rbac\.denied")
    with pytest.raises(ConnectionError):
        world.ask("POST", POLL, cluster, name)
    assert world.envoy.stat(r".*\.rbac\.denied") == denied + 1
    assert world.seen == before


def test_an_unknown_server_name_is_answered_by_nobody(world: World) -> None:
    with pytest.raises(OSError, match=r"EOF|reset"):
        world.dial("cluster1", "unknown.example")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/control/start-run"),
        ("POST", "/v1/runtime/pull"),
        ("GET", "/health"),
        ("GET", "/docs"),
        ("GET", "/"),
        ("GET", "/v1/fleet"),
        ("POST", "/v1/fleet/../control/start-run"),
        ("POST", "/v1/fleet/%2e%2e/control/start-run"),
        ("POST", "/v1//control/start-run"),
        ("GET", "/v1/runs/social.other/general-profile"),
        ("GET", "/v1/runs/socialxposts/general-profile"),
        ("GET", f"{RUN}/general-profile/"),
        ("GET", f"{RUN}/rounds/0/adapter"),
        ("GET", f"{RUN}/rounds/x/adapter"),
        ("GET", f"{RUN}/rounds/1/adapter/more"),
        ("DELETE", f"{RUN}/rounds/1/adapter"),
        ("POST", f"{RUN}/rounds/1/adapter"),
        ("GET", f"{RUN}/adapter"),
        ("GET", f"{RUN}/profiles/facebook"),
        ("PUT", f"{RUN}/profiles/myspace"),
        ("PUT", f"{RUN}/general-profile"),
    ],
)
def test_any_other_path_is_not_found_at_the_gateway(world: World, method: str, path: str) -> None:
    before = world.seen
    assert world.ask(method, path) == (404, b"")
    assert world.seen == before


@pytest.mark.parametrize("path", ["/v1/fleet/..%2fcontrol/start-run", "/v1/fleet/..%5Ccontrol/start-run"])
def test_an_escaped_slash_is_refused(world: World, path: str) -> None:
    before = world.seen
    assert world.ask("POST", path)[0] == 400
    assert world.seen == before


def test_an_upload_is_passed_on_as_it_arrives(world: World) -> None:
    adapters, size = world.services["adapters"], 8 << 20
    adapters.first_bytes.clear()
    connection = world.dial("cluster1")
    connection.putrequest("PUT", f"{RUN}/rounds/1/adapter")
    connection.putheader("content-length", str(size))
    connection.endheaders(b"x" * 1000)
    assert adapters.first_bytes.wait(10), "the gateway holds the body back until it is complete"
    connection.send(b"x" * (size - 1000))
    assert json.loads(connection.getresponse().read())["received"] == size
    connection.close()


def test_the_log_tells_who_asked_what(world: World) -> None:
    world.ask("GET", f"{RUN}/general-profile?told", "cluster2")
    entry = logged(world, wire.requests, lambda line: line["path"].endswith("?told"))
    assert entry["identity"] == wire.known("cluster2")[0]
    assert int(entry["serial"], 16) == certificates.serial(world.folder / "cluster2")
    assert (entry["server"], entry["method"], entry["code"]) == (POSTS, "GET", 200)


def test_the_log_tells_which_cluster_was_not_chosen(world: World) -> None:
    with pytest.raises(ConnectionError):
        world.ask("POST", POLL, "cluster3")
    entry = logged(world, wire.refusals, lambda line: line["identity"] == wire.known("cluster3")[0])
    assert entry["rbac"] == "rbac_access_denied_matched_policy[none]"


def test_the_log_tells_whose_certificate_expired(world: World) -> None:
    with pytest.raises(ssl.SSLError):
        world.dial("expired").sock.recv(1)
    serial = certificates.serial(world.folder / "expired")
    entry = logged(world, wire.refusals, lambda line: line["serial"] and int(line["serial"], 16) == serial)
    assert "certificate_has_expired" in entry["tls"]


def logged(
    world: World, kind: Callable[[Path], list[dict[str, Any]]], wanted: Callable[[dict[str, Any]], object]
) -> dict[str, Any]:
    log = Path(world.gateway.access_log)
    return wait_for(lambda: next((line for line in kind(log) if wanted(line)), None), "a line in the log")


def test_choosing_other_clusters_disturbs_no_other_federation(world: World) -> None:
    kept, dropped = world.dial("cluster3", OTHER), world.dial("cluster2")
    assert ask(kept, "POST", POLL)[0] == ask(dropped, "POST", POLL)[0] == 200
    posts = replace(world.posts, identities=wire.known("cluster1", "cluster11"))
    try:
        write(Path(world.gateway.folder), files(world.gateway, [posts, world.other]))
        wait_for(lambda: reaches(world, "cluster11"), "the newly chosen cluster11")
        assert ask(kept, "POST", POLL)[0] == 200
        dropped.request("POST", POLL)
        assert dropped.getresponse().headers["connection"] == "close"
        assert not reaches(world, "cluster2")
    finally:
        write(Path(world.gateway.folder), files(world.gateway, [world.posts, world.other]))
        wait_for(lambda: reaches(world, "cluster2"), "the clusters of before")
        kept.close()
        dropped.close()


def reaches(world: World, cluster: str) -> bool:
    try:
        return bool(world.ask("POST", POLL, cluster)[0] == 200)
    except ConnectionError:
        return False


def test_a_collaborator_speaks_plaintext_to_its_sidecar_and_is_known_at_the_hub(world: World) -> None:
    with wire.running_sidecar(wire.dialling(world.folder, "cluster1", world.envoy.port)) as (_, connection):
        status, answer = ask(connection, "POST", POLL)
    assert status == 200
    assert known_as(answer) == "cluster1"


@pytest.mark.parametrize(
    ("certificate", "counter"),
    [
        pytest.param("server-of-other", "fail_verify_san", id="another federation's gateway"),
        pytest.param("cluster2", "fail_verify_error", id="a cluster that poses as a gateway"),
    ],
)
def test_a_sidecar_does_not_believe(world: World, tmp_path: Path, certificate: str, counter: str) -> None:
    impostor = replace(
        world.gateway, folder=str(tmp_path), certificate=str(world.folder / certificate), admin=str(tmp_path / "hub.sock")
    )
    with (
        running(tmp_path, files(impostor, [world.posts])) as hub,
        wire.running_sidecar(wire.dialling(world.folder, "cluster1", hub.port)) as (envoy, connection),
    ):
        with pytest.raises(ConnectionError):
            ask(connection, "POST", POLL)
        assert envoy.stat(f"cluster.hub.ssl.{counter}") == 1


@pytest.mark.parametrize("count", [0, 1, 3])
def test_envoy_takes_the_gateways_files(world: World, tmp_path: Path, count: int) -> None:
    several = [replace(world.posts, name=f"posts{number}") for number in range(count)]
    assert refused_by_envoy(tmp_path, files(replace(world.gateway, folder=str(tmp_path)), several)) == ""


def test_envoy_takes_a_federation_that_chose_nobody(world: World, tmp_path: Path) -> None:
    nobody = replace(world.posts, identities=())
    assert refused_by_envoy(tmp_path, files(replace(world.gateway, folder=str(tmp_path)), [nobody])) == ""


def test_envoy_takes_the_sidecars_files(world: World, tmp_path: Path) -> None:
    there = replace(wire.dialling(world.folder, "cluster1", 443), folder=str(tmp_path))
    assert refused_by_envoy(tmp_path, sidecar.files(there)) == ""
