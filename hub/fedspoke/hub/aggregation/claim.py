"""What the headers of an upload promise: read and bounded before a byte of the body is taken.

A whole upload is a PUT with Content-Digest. What lacks of one that was cut is a partial PUT (RFC 9110, 14.5): Content-Range says
from which byte on, and Repr-Digest (RFC 9530) is that of the whole.
"""

import re
from base64 import b64decode
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException

_EXAMPLES = 10**9
_DIGEST = re.compile(r"sha-256=:([A-Za-z0-9+/]{43}=):")
_RANGE = re.compile(r"bytes ([0-9]{1,12})-([0-9]{1,12})/([0-9]{1,12})")


@dataclass(frozen=True)
class Claim:
    """SHA-256 of the whole upload, on how many examples it was trained, its bytes, and from which on they follow."""

    digest: bytes
    examples: int
    size: int
    begin: int = 0


def read(headers: Headers, largest: int) -> Claim:
    """The promise, if an adapter of at most `largest` bytes can keep it; otherwise the answer is 400, 411 or 413."""
    if not re.fullmatch(r"[0-9]{1,12}", headers.get("content-length", "")):
        raise HTTPException(411, "an upload says its Content-Length")
    length = int(headers["content-length"])
    begin, size, kind = 0, length, "Content-Digest"
    if "content-range" in headers:
        begin, size = _rest(headers["content-range"], length)
        kind = "Repr-Digest"
    if size > largest:
        raise HTTPException(413, f"the upload has {size} bytes; an adapter of this run has at most {largest}")
    examples = headers.get("fedspoke-examples", "")
    if not re.fullmatch(r"[0-9]{1,10}", examples) or not 1 <= int(examples) <= _EXAMPLES:
        raise HTTPException(400, f"an upload says on how many examples it was trained: Fedspoke-Examples, 1 to {_EXAMPLES}")
    return Claim(digest(headers, kind), int(examples), size, begin)


def digest(headers: Headers, kind: str) -> bytes:
    """SHA-256 as the header of this name gives it; otherwise the answer is 400."""
    found = _DIGEST.fullmatch(headers.get(kind, "").strip())
    if found is None:
        raise HTTPException(400, f"this request carries one {kind}: sha-256=:<base64>: (RFC 9530)")
    return b64decode(found[1])


def _rest(value: str, length: int) -> tuple[int, int]:
    """From which byte on, and how many there are in all."""
    found = _RANGE.fullmatch(value.strip())
    begin, last, size = map(int, found.groups()) if found else (0, 0, 0)
    if not 0 < begin <= last == size - 1 or last - begin + 1 != length:
        raise HTTPException(400, "the rest of an upload carries Content-Range: bytes <first>-<last>/<all>, and is all that lacks")
    return begin, size
