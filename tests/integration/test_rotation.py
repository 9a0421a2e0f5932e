"""Certificates are replaced while a federation runs, and nobody notices but the log."""

import http.client
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from fedspoke.hub.addon.signer import Authority
from fedspoke.hub.gateway import files
from support import certificates, wire
from support.envoy import Envoy, running, wait_for
from support.wire import POLL, POSTS, RUN, ask

AGED = r"http\.social\.posts\.downstream_cx_max_duration_reached"


@dataclass(frozen=True)
class Wire:
    """A gateway and cluster1's sidecar, both running; no connection is older than a second."""

    folder: Path
    hub: Envoy
    spoke: Envoy
    connection: http.client.HTTPConnection

    @property
    def ends(self) -> tuple[Envoy, Envoy]:
        return self.hub, self.spoke

    def poll_until(self, condition: Callable[[], bool], what: str) -> None:
        """As Flower's client polls; no request may fail."""

        def polled() -> bool:
            assert ask(self.connection, "POST", POLL)[0] == 200
            return condition()

        wait_for(polled, what)

    def serials(self) -> list[int]:
        """The certificates that the gateway saw, in the order of their first request."""
        return list(dict.fromkeys(int(line["serial"], 16) for line in self.log))

    @property
    def log(self) -> list[dict[str, Any]]:
        return wire.requests(self.folder / "access.log")


@pytest.fixture
def ours() -> Authority:
    return certificates.authority()


@pytest.fixture
def running_wire(tmp_path: Path, ours: Authority) -> Iterator[Wire]:
    certificates.bundle(tmp_path / "ca", ours)
    certificates.server(tmp_path / "server", ours, POSTS)
    certificates.client(tmp_path / "cluster1", ours, "cluster1")
    gateway = replace(wire.gateway(tmp_path), longest_connection=timedelta(seconds=1))
    with (
        wire.services() as behind,
        running(tmp_path / "gateway", files(gateway, [wire.federation("posts", behind, "cluster1")])) as hub,
        wire.running_sidecar(wire.dialling(tmp_path, "cluster1", hub.port)) as (spoke, connection),
    ):
        yield Wire(tmp_path, hub, spoke, connection)
        wait_for(lambda: wire.requests(tmp_path / "access.log"), "the last request in the log")
        assert {line["code"] for line in wire.requests(tmp_path / "access.log")} == {200}
        assert [end.stat(r"sds\..*\.(key_rotation_failed|update_rejected)") for end in (hub, spoke)] == [0, 0]


def test_a_renewed_certificate_is_used_at_either_end_without_a_lost_request(running_wire: Wire, ours: Authority) -> None:
    folder = running_wire.folder
    old = certificates.serial(folder / "cluster1")
    running_wire.poll_until(lambda: running_wire.serials() == [old], "the first certificate in the log")
    new = certificates.client(folder / "cluster1", ours, "cluster1")
    server = certificates.server(folder / "server", ours, POSTS)
    running_wire.poll_until(lambda: running_wire.serials() == [old, new], "the renewed certificate in the log")
    running_wire.poll_until(lambda: running_wire.hub.serials("cert_chain") == {server}, "the gateway's renewed certificate")


def test_the_authority_is_replaced_without_a_lost_request_while_both_are_trusted(running_wire: Wire, ours: Authority) -> None:
    folder, new = running_wire.folder, certificates.authority("federated-learning, renewed")

    def trusted(*authorities: Authority) -> bool:
        known = {authority.certificate.serial_number for authority in authorities}
        return all(end.serials("ca_cert") == known for end in running_wire.ends)

    certificates.bundle(folder / "ca", ours, new)
    running_wire.poll_until(lambda: trusted(ours, new), "both authorities trusted at both ends")
    certificates.server(folder / "server", new, POSTS)
    client = certificates.client(folder / "cluster1", new, "cluster1")
    running_wire.poll_until(lambda: running_wire.serials()[-1:] == [client], "the new authority's certificate in the log")
    certificates.bundle(folder / "ca", new)
    running_wire.poll_until(lambda: trusted(new), "the old authority forgotten at both ends")
    turned = running_wire.hub.stat(AGED)
    running_wire.poll_until(lambda: running_wire.hub.stat(AGED) > turned + 1, "connections begun under the new authority alone")


def test_an_upload_that_outlives_the_longest_connection_is_not_cut(running_wire: Wire) -> None:
    connection, size = running_wire.connection, 1 << 20
    connection.putrequest("PUT", f"{RUN}/rounds/1/adapter")
    connection.putheader("content-length", str(size))
    connection.endheaders(b"x" * (size // 2))
    wait_for(lambda: running_wire.hub.stat(AGED) == 1, "the connection's age")
    connection.send(b"x" * (size // 2))
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())["received"]) == (200, size)
