"""An agent's request to a federation's aggregator: under the cluster's certificate, and to no other server's name."""

import socket
import ssl
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from fedspoke.agent.aggregators import calling
from fedspoke.manifestworks.envoy import AUTHORITY_FILE, CERTIFICATE_FILE, KEY_FILE
from support import certificates
from unit.agent.test_start import RUN
from unit.agent.test_watchdog import gateway


@pytest.mark.parametrize("method", ["HEAD", "DELETE"])
@pytest.mark.parametrize(("status", "there"), [(404, True), (410, True), (200, True), (503, False), (504, False)])
def test_an_aggregator_is_there_if_its_gateway_has_an_answer_of_it(tmp_path: Path, method: str, status: int, there: bool):
    asked: list[str] = []

    class Answers(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            asked.append(f"{self.command} {self.path}")
            self.send_response(status)
            self.end_headers()

        def do_DELETE(self) -> None:
            self.do_HEAD()

        def log_message(self, *_: object) -> None: ...

    trust = _trusting(tmp_path)
    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        server.socket = trust.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        call = calling(tmp_path / "client", tmp_path / "ca")
        assert call(gateway(port=server.server_port), method, "adapter") == (status if there else 0)
        server.shutdown()
    assert asked == [f"{method} /v1/runs/{RUN}/adapter"]


def test_one_that_answers_by_a_byte_now_and_then_is_not_waited_for(tmp_path: Path):
    gone, pace = threading.Event(), threading.Event()

    def drip(server: socket.socket) -> None:
        line, _ = server.accept()
        try:
            with trust.wrap_socket(line, server_side=True) as secured:
                while not pace.wait(0.05):
                    secured.sendall(b"H")
        except OSError:
            gone.set()

    trust = _trusting(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=drip, args=(server,), daemon=True).start()
        call = calling(tmp_path / "client", tmp_path / "ca", seconds=1)
        assert call(gateway(port=server.getsockname()[1]), "DELETE", "adapter") == 0
        assert gone.wait(60), "its line is closed, too"


def test_without_a_certificate_nobody_answers(tmp_path: Path):
    assert not calling(tmp_path / "nowhere", tmp_path / "ca")(gateway(port=1), "HEAD", "adapter")


@pytest.mark.parametrize("address", ["h..example.com", "x" * 64, "", "\x00"])
def test_an_address_that_is_none_is_one_that_does_not_answer(tmp_path: Path, address: str):
    signer = certificates.authority()
    certificates.bundle(tmp_path / "ca", signer)
    certificates.client(tmp_path / "client", signer, "berlin")
    asked = gateway().model_copy(update={"address": address})
    assert not calling(tmp_path / "client", tmp_path / "ca")(asked, "HEAD", "adapter")


def _trusting(folder: Path) -> ssl.SSLContext:
    """A gateway's end, for those of one authority; the agent's files are in `ca` and `client`."""
    signer = certificates.authority()
    certificates.bundle(folder / "ca", signer)
    certificates.client(folder / "client", signer, "berlin")
    certificates.server(folder / "server", signer, gateway().server_name)
    trust = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=folder / "ca" / AUTHORITY_FILE)
    trust.verify_mode = ssl.CERT_REQUIRED
    trust.load_cert_chain(folder / "server" / CERTIFICATE_FILE, folder / "server" / KEY_FILE)
    return trust
