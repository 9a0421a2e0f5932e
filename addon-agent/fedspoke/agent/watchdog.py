"""Whether anybody on the hub still waits for what a collaborator trains: its federation's aggregator is asked for a sign of life.

A collaborator whose hub has been silent for longer than its federation's `client.hubLostGrace` is ended, so that its GPU is free;
once the hub answers it is started again, and trains the round that it is asked for from the beginning.
"""

import http.client
import logging
import socket
import ssl
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from fedspoke.api.records import HubGateway
from fedspoke.manifestworks.envoy import AUTHORITY_FILE, CERTIFICATE_FILE, KEY_FILE

log = logging.getLogger("fedspoke")

Ask = Callable[[HubGateway], bool]

_AT_ONCE = 8
_SECONDS = 5.0
_GONE = {502, 503, 504}
"""What a gateway says for an aggregator that does not."""


@dataclass(slots=True)
class Watchdog:
    """Since when each federation's hub has been asked in vain. A time in which nobody could ask does not count."""

    ask: Ask
    silent: dict[str, datetime] = field(default_factory=dict)

    def look(self, gateways: Iterable[HubGateway], now: datetime) -> dict[str, str]:
        """Ask all of them; by federation, why it is not to run here."""
        all_of_them = [*gateways]
        with ThreadPoolExecutor(_AT_ONCE) as at_once:
            answers = [*at_once.map(self.ask, all_of_them)]
        silent = [it for it, answered in zip(all_of_them, answers, strict=True) if not answered]
        self.silent = {it.run: self.silent.get(it.run, now) for it in silent}
        return {it.run: self._why(it) for it in silent if now - self.silent[it.run] > timedelta(seconds=it.grace)}

    def _why(self, it: HubGateway) -> str:
        since = f"{self.silent[it.run]:%Y-%m-%d %H:%M:%S} UTC"
        grace = f"client.hubLostGrace is {it.grace:.0f} s"
        return (
            f"the hub has not answered at {it.address}:{it.port} since {since}, and {grace}; it runs again once the hub answers"
        )


def asking(certificate: Path, authority: Path) -> Ask:
    """By the cluster's own certificate.

    Args:
        certificate: the folder of tls.crt and tls.key, which are read each time, as they are renewed.
        authority: the folder of ca.crt.
    """

    def ask(gateway: HubGateway) -> bool:
        try:
            trust = ssl.create_default_context(cafile=str(authority / AUTHORITY_FILE))
            trust.load_cert_chain(certificate / CERTIFICATE_FILE, certificate / KEY_FILE)
            with (
                socket.create_connection((gateway.address, gateway.port), _SECONDS) as line,
                trust.wrap_socket(line, server_hostname=gateway.server_name) as secured,
            ):
                path = f"/v1/runs/{gateway.run}/rounds/0/adapter"
                secured.sendall(f"HEAD {path} HTTP/1.1\r\nHost: {gateway.server_name}\r\nConnection: close\r\n\r\n".encode())
                answer = http.client.HTTPResponse(secured, method="HEAD")
                answer.begin()
                return answer.status not in _GONE
        except (OSError, ValueError, http.client.HTTPException) as error:  # no certificate yet; no name of a host
            log.info("%s: the hub does not answer at %s:%d: %s", gateway.run, gateway.address, gateway.port, error)
            return False

    return ask
