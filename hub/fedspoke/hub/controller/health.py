"""What a kubelet's probes are told: a controller that waits for the Lease is well, and the one that has it and watches is ready.

Kopf's own endpoint would answer only once it watches, and a replica that waits would be killed for that.
"""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

BEAT = 1.0
"""Seconds between two signs of life of the loop that watches."""
_STUCK = 30.0


@dataclass(slots=True)
class Health:
    """As of the last sign of life."""

    now: Callable[[], float] = time.monotonic
    _last: float | None = None

    def beat(self) -> None:
        """The loop that watches is at work."""
        self._last = self.now()

    @property
    def well(self) -> bool:
        """Whether it needs no restart."""
        return self._last is None or self.now() - self._last < _STUCK

    @property
    def ready(self) -> bool:
        """Whether it is the one at work."""
        return self._last is not None and self.well


class _Server(ThreadingHTTPServer):
    """Over IPv4, and over IPv6 where the machine has it: a kubelet asks by the pod's first address."""

    daemon_threads = True
    address_family = socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET

    def server_bind(self) -> None:
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()


@contextmanager
def served(health: Health, port: int) -> Iterator[None]:
    """`/healthz` and `/readyz` on this port, for the length of the block."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            good = {"/healthz": health.well, "/readyz": health.ready}.get(self.path)
            answer = HTTPStatus.NOT_FOUND if good is None else HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE
            self.send_response(answer)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Probes come every few seconds."""

    with _Server(("", port), Answers) as server:
        Thread(target=server.serve_forever, name="health", daemon=True).start()
        try:
            yield
        finally:
            server.shutdown()
