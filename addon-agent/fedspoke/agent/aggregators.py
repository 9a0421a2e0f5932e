"""One request to a federation's aggregator, through its gateway, under the cluster's own certificate."""

import http.client
import logging
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

from fedspoke.api.records import HubGateway
from fedspoke.manifestworks.envoy import AUTHORITY_FILE, CERTIFICATE_FILE, KEY_FILE

log = logging.getLogger("fedspoke")

Call = Callable[[HubGateway, str, str], int]
"""Of a method and a path below the run's; the status of an aggregator's answer, or 0 if none answered."""

_SECONDS = 5.0
_GONE = {502, 503, 504}
"""What a gateway says for an aggregator that does not answer."""


def calling(certificate: Path, authority: Path) -> Call:
    """By these files.

    Args:
        certificate: the folder of tls.crt and tls.key, which are read each time, as they are renewed.
        authority: the folder of ca.crt.
    """

    def call(gateway: HubGateway, method: str, path: str) -> int:
        try:
            trust = ssl.create_default_context(cafile=str(authority / AUTHORITY_FILE))
            trust.load_cert_chain(certificate / CERTIFICATE_FILE, certificate / KEY_FILE)
            with (
                socket.create_connection((gateway.address, gateway.port), _SECONDS) as line,
                trust.wrap_socket(line, server_hostname=gateway.server_name) as secured,
            ):
                request = f"{method} /v1/runs/{gateway.run}/{path} HTTP/1.1"
                secured.sendall(f"{request}\r\nHost: {gateway.server_name}\r\nConnection: close\r\n\r\n".encode())
                answer = http.client.HTTPResponse(secured, method=method)
                answer.begin()
                return 0 if answer.status in _GONE else answer.status
        except (OSError, ValueError, http.client.HTTPException) as error:  # no certificate yet; no name of a host
            log.info("%s: the hub does not answer at %s:%d: %s", gateway.run, gateway.address, gateway.port, error)
            return 0

    return call
