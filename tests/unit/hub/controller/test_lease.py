"""The Lease of an API server that is not there yet."""

import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from kubernetes.client import Configuration

from fedspoke.hub.controller.lease import lead
from fedspoke.local import ports

_SECONDS = 60


class Leases(BaseHTTPRequestHandler):
    """Takes every Lease that it is given, and has none."""

    def do_GET(self) -> None:
        self._answer(404, json.dumps({"code": 404, "message": "not found"}).encode())

    def do_POST(self) -> None:
        self._answer(201, self.rfile.read(int(self.headers["Content-Length"])))

    do_PUT = do_POST  # noqa: N815  as http.server calls it

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Told(logging.Handler):
    """Tells when something was told."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.anything = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.words.append(record.getMessage())
        self.anything.set()


@contextmanager
def hearing() -> Iterator[Told]:
    told, log = Told(), logging.getLogger("fedspoke")
    log.addHandler(told)
    try:
        yield told
    finally:
        log.removeHandler(told)


@pytest.fixture
def port() -> Iterator[int]:
    (port,) = ports.free(1)
    before = Configuration.get_default_copy()
    configuration = Configuration()
    configuration.host = f"http://127.0.0.1:{port}"
    Configuration.set_default(configuration)
    yield port
    Configuration.set_default(before)


def test_it_is_waited_for_with_the_reason_and_had_once_the_api_server_is_there(port: int):
    lost = threading.Event()
    waits = threading.Thread(target=lead, args=("fedspoke", "me", lost.set), daemon=True)
    with hearing() as told:
        waits.start()
        assert told.anything.wait(_SECONDS)
        assert waits.is_alive()
        with ThreadingHTTPServer(("127.0.0.1", port), Leases) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            waits.join(_SECONDS)
            assert not waits.is_alive()
            server.shutdown()
    assert told.words[0].startswith(
        f"waiting for the Lease fedspoke/fedspoke: the Kubernetes API at http://127.0.0.1:{port} does not answer: "
    )
    assert len(told.words) == 1
    assert not lost.is_set()
