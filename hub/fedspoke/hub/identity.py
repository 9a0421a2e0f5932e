"""Who sent a request: the cluster in the client certificate, as the gateway hands it on.

Envoy verifies the certificate, drops whatever `x-forwarded-client-cert` a client sent, and writes its own: one element of
`key=value` pairs, the URI SAN among them. Nothing else that a request says about its sender is believed.
"""

import re
from collections.abc import Sequence

from fedspoke.api.errors import Refused

HEADER = "x-forwarded-client-cert"

_PAIR = r'[A-Za-z]+=(?:"(?:[^"\\]|\\.)*"|[^",;=]*)'
_ELEMENT = re.compile(rf"{_PAIR}(?:;{_PAIR})*")  # a comma outside quotes would begin the element of another hop
_IDENTITY = re.compile(r"spiffe://[^/]+/cluster/([a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?)")


def cluster(headers: Sequence[str]) -> str:
    """The cluster that all values of `x-forwarded-client-cert` together name.

    Raises:
        Refused: they do not name exactly one.
    """
    if len(headers) != 1 or not _ELEMENT.fullmatch(headers[0]):
        raise Refused("the request did not come through the gateway: it carries no certificate of one client")
    pairs = [pair.partition("=") for pair in re.findall(_PAIR, headers[0])]
    uris = [value.strip('"') for key, _, value in pairs if key.lower() == "uri"]
    named = _IDENTITY.fullmatch(uris[0]) if len(uris) == 1 else None
    if named is None:
        raise Refused("the client's certificate names no cluster; its one URI must be spiffe://<hub>/cluster/<name>")
    return named[1]
