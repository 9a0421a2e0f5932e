"""Adapters between this cluster and the hub: streamed from and to disk, through the gateway, as often as the line needs.

Either way a cut transfer goes on where it was cut; what does not end as the file of its digest begins anew.

By urllib3, which reads from the line what is there: httpx, with which all else here speaks HTTP, reads 64 KiB at a time and takes
three times the CPU for an adapter.
"""

import hashlib
import json
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path

import urllib3
from urllib3.exceptions import HTTPError

from fedspoke.api.errors import Failed
from fedspoke.api.files import sha256

_CHUNK = 1 << 20
_TIMEOUT = urllib3.Timeout(connect=10, read=60)
_FIRST, _LONGEST = 0.25, 10.0  # seconds between two attempts: doubled each time, up to the longest
_AGAIN = frozenset({408, 429, 502, 503, 504})  # another attempt may succeed; 5xx here are the gateway's


class _PassingError(Exception):
    """This attempt failed and another may not."""


_Attempt = Callable[[urllib3.PoolManager], None]


def fetch(url: str, digest: str, path: Path, seconds: float) -> None:
    """The file of this digest, whole, at `path`.

    Args:
        url: Where it is.
        digest: SHA-256, in hex.
        path: Where it goes; `<path>.part` is what has come so far.
        seconds: How long to keep trying.

    Raises:
        Failed: it did not come; the sentence is the hub's, if the hub said one.
    """
    if path.exists() and sha256(path) == digest:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")

    def attempt(pool: urllib3.PoolManager) -> None:
        with part.open("a+b") as file:
            file.seek(0)
            came = hashlib.file_digest(file, "sha256")
            headers = {"accept-encoding": "identity"}
            if have := file.tell():
                headers |= {"range": f"bytes={have}-", "if-range": f'"{digest}"'}
            with pool.request("GET", url, headers=headers, preload_content=False) as response:
                if response.status != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:  # else cut after the last byte, or another file
                    _expect(response, "the hub does not give the adapter")
                    if response.status != HTTPStatus.PARTIAL_CONTENT:
                        file.truncate(0)
                        came = hashlib.sha256()
                    while chunk := response.read1(_CHUNK):  # as they come: gathered ones would be lost with the line
                        file.write(chunk)
                        came.update(chunk)
        if came.hexdigest() != digest:
            part.unlink()
            raise _PassingError(f"what came has the digest {came.hexdigest()[:12]}… instead of {digest[:12]}…")

    _persist(attempt, seconds, "the adapter could not be fetched")
    part.replace(path)


def send(url: str, path: Path, examples: int, seconds: float) -> str:
    """Leave a trained adapter at the hub.

    Args:
        url: Where it goes.
        path: The file.
        examples: On how many it was trained: its weight.
        seconds: How long to keep trying.

    Returns:
        The file's SHA-256, in hex.

    Raises:
        Failed: the hub does not take it, in its own words; or it could not be reached.
    """
    digest, size, cut = sha256(path), path.stat().st_size, False
    told = f"sha-256=:{b64encode(bytes.fromhex(digest)).decode()}:"

    def attempt(pool: urllib3.PoolManager) -> None:
        nonlocal cut
        begin = _offset(pool, url, told, size) if cut else 0
        cut = True  # however this attempt ends
        if begin == size:  # the answer was lost, not the upload
            return
        headers = {"content-length": str(size - begin), "fedspoke-examples": str(examples)}
        if begin:
            headers |= {"repr-digest": told, "content-range": f"bytes {begin}-{size - 1}/{size}"}
        else:
            headers |= {"content-digest": told}
        response = pool.request("PUT", url, body=_chunks(path, begin), headers=headers)
        if begin and "upload-offset" in response.headers:  # the hub has dropped what it had, or has more by now
            raise _PassingError(f"{response.status} {_sentence(response)}")
        _expect(response, "the hub does not take the adapter")

    _persist(attempt, seconds, "the adapter could not be uploaded")
    return digest


def put(url: str, body: str, seconds: float) -> None:
    """Leave a JSON document at the hub.

    Raises:
        Failed: as `send`.
    """

    def attempt(pool: urllib3.PoolManager) -> None:
        answer = pool.request("PUT", url, body=body.encode(), headers={"content-type": "application/json"})
        _expect(answer, "the hub does not take the profile")

    _persist(attempt, seconds, "the profile could not be uploaded")


def present(url: str, ticket: str, seconds: float) -> None:
    """Show the hub, under this cluster's certificate, the ticket that came with an order: so it knows whose node was asked.

    Raises:
        Failed: as `send`.
    """

    def attempt(pool: urllib3.PoolManager) -> None:
        _expect(
            pool.request("GET", url, headers={"fedspoke-ticket": ticket}), "the hub does not take this node for this cluster's"
        )

    _persist(attempt, seconds, "the ticket could not be presented")


def _offset(pool: urllib3.PoolManager, url: str, told: str, size: int) -> int:
    """How many bytes of the upload with this digest the hub has; all of them, once it has taken it."""
    response = pool.request("HEAD", url, headers={"repr-digest": told})
    _expect(response, "the hub does not take the adapter any more")
    return size if response.headers.get("upload-complete") == "?1" else int(response.headers.get("upload-offset", 0))


def _persist(attempt: _Attempt, seconds: float, failure: str) -> None:
    until, pause = time.monotonic() + seconds, _FIRST
    with urllib3.PoolManager(timeout=_TIMEOUT, retries=False, blocksize=_CHUNK) as pool:
        while True:
            try:
                attempt(pool)
            except (HTTPError, _PassingError) as error:
                if time.monotonic() + pause > until:
                    raise Failed(f"{failure} within {seconds:.0f} s: {error or type(error).__name__}") from error
            else:
                return
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST)


def _expect(response: urllib3.BaseHTTPResponse, refusal: str) -> None:
    if 200 <= response.status < 300:
        return
    said = _sentence(response)
    if response.status in _AGAIN:
        raise _PassingError(f"{response.status} {said}")
    raise Failed(f"{refusal}: {said} ({response.status})")


def _sentence(response: urllib3.BaseHTTPResponse) -> str:
    """The hub's services say `{"error": "<one sentence>"}`; a gateway between may say anything."""
    text = response.data.decode(errors="replace")
    try:
        return str(json.loads(text)["error"])
    except (ValueError, KeyError, TypeError):
        return text[:200] or response.reason or ""


def _chunks(path: Path, begin: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(begin)
        while chunk := file.read(_CHUNK):
            yield chunk
