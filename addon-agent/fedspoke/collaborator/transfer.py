"""Adapters between this cluster and the hub: streamed from and to disk, through the gateway, as often as the line needs.

Either way a cut transfer goes on where it was cut; what does not end as the file of its digest begins anew.
"""

import hashlib
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import httpx

from fedspoke.api.errors import Failed

T = TypeVar("T")

_CHUNK = 1 << 20
_TIMEOUT = httpx.Timeout(60, connect=10)
_FIRST, _LONGEST = 0.25, 10.0  # seconds between two attempts: doubled each time, up to the longest
_AGAIN = frozenset({408, 429, 502, 503, 504})  # another attempt may succeed; 5xx here are the gateway's


class _PassingError(Exception):
    """This attempt failed and another may not."""


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

    def attempt(client: httpx.Client) -> None:
        have = part.stat().st_size if part.exists() else 0
        headers = {"accept-encoding": "identity"}
        if have:
            headers |= {"range": f"bytes={have}-", "if-range": f'"{digest}"'}
        with client.stream("GET", url, headers=headers) as response:
            if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:  # cut after the last byte, or another file
                _confirm(part, digest)
                return
            _expect(response, "the hub does not give the adapter")
            with part.open("ab" if response.status_code == httpx.codes.PARTIAL_CONTENT else "wb") as file:
                for chunk in response.iter_raw():  # as they come: gathered ones would be lost with the line
                    file.write(chunk)
        _confirm(part, digest)

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

    def attempt(client: httpx.Client) -> None:
        nonlocal cut
        begin = _offset(client, url, told, size) if cut else 0
        cut = True  # however this attempt ends
        if begin == size:  # the answer was lost, not the upload
            return
        headers = {"content-length": str(size - begin), "fedspoke-examples": str(examples)}
        if begin:
            headers |= {"repr-digest": told, "content-range": f"bytes {begin}-{size - 1}/{size}"}
        else:
            headers |= {"content-digest": told}
        response = client.put(url, content=_chunks(path, begin), headers=headers)
        if begin and "upload-offset" in response.headers:  # the hub has dropped what it had, or has more by now
            raise _PassingError(f"{response.status_code} {_sentence(response)}")
        _expect(response, "the hub does not take the adapter")

    _persist(attempt, seconds, "the adapter could not be uploaded")
    return digest


def put(url: str, body: str, seconds: float) -> None:
    """Leave a JSON document at the hub.

    Raises:
        Failed: as `send`.
    """

    def attempt(client: httpx.Client) -> None:
        answer = client.put(url, content=body, headers={"content-type": "application/json"})
        _expect(answer, "the hub does not take the profile")

    _persist(attempt, seconds, "the profile could not be uploaded")


def present(url: str, ticket: str, seconds: float) -> None:
    """Show the hub, under this cluster's certificate, the ticket that came with an order: so it knows whose node was asked.

    Raises:
        Failed: as `send`.
    """

    def attempt(client: httpx.Client) -> None:
        _expect(client.get(url, headers={"fedspoke-ticket": ticket}), "the hub does not take this node for this cluster's")

    _persist(attempt, seconds, "the ticket could not be presented")


def sha256(path: Path) -> str:
    """Of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _offset(client: httpx.Client, url: str, told: str, size: int) -> int:
    """How many bytes of the upload with this digest the hub has; all of them, once it has taken it."""
    response = client.head(url, headers={"repr-digest": told})
    _expect(response, "the hub does not take the adapter any more")
    return size if response.headers.get("upload-complete") == "?1" else int(response.headers.get("upload-offset", 0))


def _persist(attempt: Callable[[httpx.Client], T], seconds: float, failure: str) -> T:
    until, pause = time.monotonic() + seconds, _FIRST
    with httpx.Client(timeout=_TIMEOUT, trust_env=False) as client:
        while True:
            try:
                return attempt(client)
            except (httpx.TransportError, _PassingError) as error:
                if time.monotonic() + pause > until:
                    raise Failed(f"{failure} within {seconds:.0f} s: {error or type(error).__name__}") from error
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST)


def _expect(response: httpx.Response, refusal: str) -> None:
    if response.is_success:
        return
    said = _sentence(response)
    if response.status_code in _AGAIN:
        raise _PassingError(f"{response.status_code} {said}")
    raise Failed(f"{refusal}: {said} ({response.status_code})")


def _sentence(response: httpx.Response) -> str:
    """The hub's services say `{"error": "<one sentence>"}`; a gateway between may say anything."""
    text = response.read().decode(errors="replace")
    try:
        return str(response.json()["error"])
    except (ValueError, KeyError, TypeError):
        return text[:200] or response.reason_phrase


def _confirm(part: Path, digest: str) -> None:
    came = sha256(part)
    if came != digest:
        part.unlink()
        raise _PassingError(f"what came has the digest {came[:12]}… instead of {digest[:12]}…")


def _chunks(path: Path, begin: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(begin)
        while chunk := file.read(_CHUNK):
            yield chunk
