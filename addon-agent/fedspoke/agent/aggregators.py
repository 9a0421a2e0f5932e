"""One request to a federation's aggregator, through its gateway, under the cluster's own certificate.

It ends in time, whatever the other side does: one that answers by a byte now and then does not keep the others waiting.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable
from pathlib import Path

from fedspoke.api.records import HubGateway
from fedspoke.manifestworks.envoy import AUTHORITY_FILE, CERTIFICATE_FILE, KEY_FILE

log = logging.getLogger("fedspoke")

Call = Callable[[HubGateway, str, str], int]
"""Of a method and a path below the run's; the status of an aggregator's answer, or 0 if none answered."""

AT_ONCE = 8
"""So many federations are asked."""
_SECONDS = 5.0
_GONE = {502, 503, 504}
"""What a gateway says for an aggregator that does not answer."""


def calling(certificate: Path, authority: Path, seconds: float = _SECONDS) -> Call:
    """By these files.

    Args:
        certificate: the folder of tls.crt and tls.key, which are read each time, as they are renewed.
        authority: the folder of ca.crt.
        seconds: that an answer may take, all in all.
    """

    def call(gateway: HubGateway, method: str, path: str) -> int:
        try:
            trust = ssl.create_default_context(cafile=str(authority / AUTHORITY_FILE))
            trust.load_cert_chain(certificate / CERTIFICATE_FILE, certificate / KEY_FILE)
            request = (
                f"{method} /v1/runs/{gateway.run}/{path} HTTP/1.1\r\nHost: {gateway.server_name}\r\nConnection: close\r\n\r\n"
            )
            status = asyncio.run(_within(seconds, gateway, trust, request.encode()))
        except (OSError, ValueError) as error:  # no certificate yet; no name of a host; no HTTP
            why = str(error) or f"not within {seconds:g} s"
            log.info("%s: the hub does not answer at %s:%d: %s", gateway.run, gateway.address, gateway.port, why)
            return 0
        return 0 if status in _GONE else status

    return call


async def _within(seconds: float, gateway: HubGateway, trust: ssl.SSLContext, request: bytes) -> int:
    """The status of the answer."""
    async with asyncio.timeout(seconds):
        reading, writing = await asyncio.open_connection(
            gateway.address, gateway.port, ssl=trust, server_hostname=gateway.server_name
        )
        try:
            writing.write(request)
            return _status(await reading.readline())
        finally:
            writing.transport.abort()  # nothing more is wanted of it, nor waited for


def _status(line: bytes) -> int:
    version, _, rest = line.partition(b" ")
    if not version.startswith(b"HTTP/1."):
        raise ValueError("it speaks no HTTP")
    return int(rest[:3])
