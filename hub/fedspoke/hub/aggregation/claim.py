"""What the headers of an upload promise: read and bounded before a byte of the body is taken."""

import re
from base64 import b64decode
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException

_EXAMPLES = 10**9
_CONTENT_DIGEST = re.compile(r"sha-256=:([A-Za-z0-9+/]{43}=):")


@dataclass(frozen=True)
class Claim:
    """SHA-256 of the body, on how many examples it was trained, and its bytes."""

    digest: bytes
    examples: int
    size: int


def read(headers: Headers, largest: int) -> Claim:
    """The promise, if an adapter of at most `largest` bytes can keep it; otherwise the answer is 400, 411 or 413."""
    if not headers.get("content-length", "").isdecimal():
        raise HTTPException(411, "an upload says its Content-Length")
    size = int(headers["content-length"])
    if size > largest:
        raise HTTPException(413, f"the upload has {size} bytes; an adapter of this run has at most {largest}")
    digest = _CONTENT_DIGEST.fullmatch(headers.get("content-digest", "").strip())
    if digest is None:
        raise HTTPException(400, "an upload carries one Content-Digest: sha-256=:<base64>: (RFC 9530)")
    examples = headers.get("fedspoke-examples", "")
    if not re.fullmatch(r"[0-9]{1,10}", examples) or not 1 <= int(examples) <= _EXAMPLES:
        raise HTTPException(400, f"an upload says on how many examples it was trained: Fedspoke-Examples, 1 to {_EXAMPLES}")
    return Claim(b64decode(digest[1]), int(examples), size)
