"""Where adapters change hands: each cluster fetches the one a round starts from and leaves its own.

It is beside Flower's messages: inside them a round costs six times as much (`make bench`). An upload is spooled to disk,
hashed while it arrives and verified tensor by tensor; only then does it exist. The cluster is the one in the certificate: one
adapter a cluster and round.

    GET /v1/runs/{run}/rounds/{n}/adapter    ETag = SHA-256; Range; If-None-Match
    GET with Fedspoke-Ticket                 no adapter: the cluster shows whose node it is that was given the ticket (tickets.py)
    PUT /v1/runs/{run}/rounds/{n}/adapter    with Content-Length, Content-Digest (RFC 9530) and Fedspoke-Examples
    HEAD with Repr-Digest                    Upload-Offset: how many bytes of the upload with this digest are here
    PUT with Content-Range and Repr-Digest   the bytes from Upload-Offset on, to the end (claim.py)

What came of an upload whose line was cut is kept while the round is open: the last one of each cluster, never larger than an
adapter. Whoever asks after it has given up on the request that brought it, so that one ends first, though the hub may not have
noticed the cut: two never write into one file. This is the way of the IETF's resumable uploads
(draft-ietf-httpbis-resumable-upload) without the URI that they make for each upload: the certificate and the digest name it. A
rest that does not begin at Upload-Offset is answered 409 with the right one; a whole whose digest is wrong is dropped whole.
"""

import asyncio
import os
import tempfile
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from fedspoke.api.errors import Refused
from fedspoke.hub import loopback
from fedspoke.hub.aggregation import claim as claims
from fedspoke.hub.aggregation import layout as layouts
from fedspoke.hub.aggregation import tensor_file
from fedspoke.hub.aggregation.claim import Claim
from fedspoke.hub.aggregation.spool import Arrival, NoRoomError, discard
from fedspoke.hub.aggregation.terms import Terms
from fedspoke.hub.aggregation.tickets import Tickets

PATH = "/v1/runs/{run}/rounds/{round:int}/adapter"
_AT_ONCE = 4  # uploads of one cluster: a retry may overtake the attempt that died; more would only fill the disk


@dataclass(frozen=True)
class Upload:
    """One cluster's adapter, whole and verified."""

    path: Path
    digest: str
    examples: int
    size: int


@dataclass(frozen=True, slots=True)
class Dropped:
    """Uploads that put nothing into a sum: their round was closed, or the same bytes had come before."""

    late: int = 0
    repeated: int = 0


@dataclass
class _Round:
    terms: Mapping[str, Terms]
    open: bool
    uploads: dict[str, Upload] = field(default_factory=dict)
    arriving: dict[str, list[Arrival]] = field(default_factory=lambda: defaultdict(list))
    cut: dict[str, Arrival] = field(default_factory=dict)
    sent: Counter[str] = field(default_factory=Counter)

    def shut(self) -> None:
        """Nothing more is taken, so what was cut is of no use."""
        self.open = False
        while self.cut:
            self.cut.popitem()[1].path.unlink(missing_ok=True)


class Exchange:
    """The adapters of one run, round by round. `folder` is the exchange's own: what it finds there is a dead run's, and goes."""

    def __init__(self, run: str, folder: Path, tickets: Tickets) -> None:
        self.tickets = tickets
        self._run = run
        self._folder = folder
        self._rounds: dict[int, _Round] = {}
        self._dropped = Dropped()
        self._lock = threading.Lock()  # the ServerApp's thread opens, closes and asks; the event loop's threads store
        folder.mkdir(parents=True, exist_ok=True)
        for leftover in folder.glob("*.safetensors*"):
            leftover.unlink()
        handlers = {"HEAD": self._ask, "GET": self._get, "PUT": self._put}  # a route for GET answers HEAD too, so it comes later
        self.app = loopback.application([Route(PATH, handler, methods=[method]) for method, handler in handlers.items()])

    def open(
        self,
        round: int,  # noqa: A002  the field's word
        terms: Mapping[str, Terms],
        *,
        uploads: bool = True,
    ) -> None:
        """From now on each of these clusters may fetch its adapter and, unless `uploads` is false, leave one.

        The uploads of earlier rounds are deleted.
        """
        with self._lock:
            for known in self._rounds.values():
                known.shut()
                while known.uploads:
                    known.uploads.popitem()[1].path.unlink(missing_ok=True)
            self._rounds[round] = _Round(dict(terms), open=uploads)

    def upload(self, round: int, cluster: str) -> Upload | None:  # noqa: A002
        """What the cluster left, if it is whole and verified."""
        with self._lock:
            known = self._rounds.get(round)
            return known.uploads.get(cluster) if known else None

    def forget(self, round: int, cluster: str) -> None:  # noqa: A002
        """The cluster is asked anew: what an earlier attempt left must not stand against what comes now."""
        with self._lock:
            if stale := self._rounds[round].uploads.pop(cluster, None):
                stale.path.unlink(missing_ok=True)

    def dropped(self) -> Dropped:
        """What was dropped since the last call."""
        with self._lock:
            dropped, self._dropped = self._dropped, Dropped()
            return dropped

    def close(self, round: int) -> None:  # noqa: A002
        """Whoever comes later is told so; what is there stays until another round is opened."""
        with self._lock:
            self._rounds[round].shut()

    def sent(self, round: int, cluster: str) -> int:  # noqa: A002
        """Bytes of adapters that this cluster was sent."""
        with self._lock:
            known = self._rounds.get(round)
            return known.sent[cluster] if known else 0

    async def _get(self, request: Request) -> Response:
        if (ticket := request.headers.get("fedspoke-ticket")) is not None:
            return self._introduce(request, ticket)
        number, known = self._round(request)
        cluster = _member(request, known)
        given = known.terms[cluster]
        tag = f'"{given.digest}"'
        if tag in (value.strip() for value in request.headers.get("if-none-match", "").split(",")):
            return Response(status_code=304, headers={"etag": tag})
        if not given.adapter.is_file():
            raise HTTPException(404, f"the adapter of round {number} is no longer kept")

        def count(size: int) -> None:
            with self._lock:
                known.sent[cluster] += size

        return _File(given.adapter, tag, count)

    def _introduce(self, request: Request, ticket: str) -> Response:
        cluster = loopback.sender(request)
        if request.path_params["run"] != self._run or not self.tickets.present(ticket, cluster):
            raise HTTPException(403, f"no node of {cluster} was given this ticket; another order will bring another")
        return JSONResponse({"cluster": cluster})

    async def _ask(self, request: Request) -> Response:
        """How far an upload has come, once the request that brings it, if there is one, has ended."""
        number, known = self._round(request)
        cluster, digest = _member(request, known), claims.digest(request.headers, "Repr-Digest")
        under_way = [arrival for arrival in known.arriving[cluster] if arrival.digest == digest]
        for arrival in under_way:
            arrival.stop()
        for arrival in under_way:
            await arrival.ended.wait()
        with self._lock:
            upload, cut = known.uploads.get(cluster), known.cut.get(cluster)
            complete = upload is not None and upload.digest == digest.hex()
            if not known.open and not complete:
                raise HTTPException(410, f"round {number} is closed")
        here = upload.size if upload and complete else cut.size if cut and cut.digest == digest else 0
        headers = {"upload-offset": str(here), "upload-complete": f"?{complete:d}", "cache-control": "no-store"}
        return Response(status_code=204, headers=headers)

    async def _put(self, request: Request) -> Response:
        try:
            number, known, cluster, claim = self._admit(request)
            arrival = self._begin(known, number, cluster, claim)
        except HTTPException:
            await discard(request.stream())
            raise
        try:
            await _receive(request, arrival)
            try:
                await asyncio.to_thread(layouts.verify, arrival.path, known.terms[cluster].upload)
            except Refused as error:
                raise HTTPException(422, str(error)) from None
            status = self._keep(known, number, cluster, claim, arrival.path)
            return JSONResponse({"digest": claim.digest.hex()}, status)
        finally:
            self._end(known, cluster, arrival)

    def _admit(self, request: Request) -> tuple[int, _Round, str, Claim]:
        """All that can be decided before the body arrives."""
        number, known = self._round(request)
        cluster = _member(request, known)
        if not known.open:
            with self._lock:
                self._late()
            raise HTTPException(410, f"round {number} is closed")
        if len(known.arriving[cluster]) >= _AT_ONCE:
            raise HTTPException(429, f"{_AT_ONCE} uploads of {cluster} are already under way")
        return number, known, cluster, claims.read(request.headers, tensor_file.largest(known.terms[cluster].upload))

    def _round(self, request: Request) -> tuple[int, _Round]:
        run, number = request.path_params["run"], request.path_params["round"]
        known = self._rounds.get(number) if run == self._run else None
        if known is None:
            raise HTTPException(404, f"there is no round {number} of a run {run!r:.200} here")
        return number, known

    def _begin(self, known: _Round, number: int, cluster: str, claim: Claim) -> Arrival:
        """A new temporary file, or the one that was cut where this upload goes on: from then on it is this request's alone."""
        if claim.begin:
            with self._lock:
                cut = known.cut.get(cluster)
                here = cut.size if cut and (cut.digest, cut.whole) == (claim.digest, claim.size) else 0
                if here != claim.begin:
                    said = f"{here} bytes of this upload are here, so its rest does not begin at {claim.begin}"
                    raise HTTPException(409, said, {"upload-offset": str(here)})
                arrival = known.cut.pop(cluster)
        else:
            descriptor, name = tempfile.mkstemp(dir=self._folder, prefix=f"{number}-{cluster}.safetensors.")
            os.close(descriptor)
            arrival = Arrival(Path(name), claim.digest, claim.size)
        known.arriving[cluster].append(arrival)
        return arrival

    def _keep(self, known: _Round, number: int, cluster: str, claim: Claim, path: Path) -> int:
        """Makes the temporary file the cluster's upload, unless it has another or came too late; returns the status."""
        final = self._folder / f"{number}-{cluster}.safetensors"
        upload = Upload(final, claim.digest.hex(), claim.examples, claim.size)
        with self._lock:
            if not known.open:
                self._late()
                raise HTTPException(410, f"round {number} was closed while the upload arrived")
            if cluster in known.uploads:
                if known.uploads[cluster] == upload:
                    self._dropped = replace(self._dropped, repeated=self._dropped.repeated + 1)
                    return 200
                raise HTTPException(409, f"{cluster} has already left another adapter in round {number}")
            path.replace(final)
            known.uploads[cluster] = upload
            return 201

    def _late(self) -> None:
        self._dropped = replace(self._dropped, late=self._dropped.late + 1)

    def _end(self, known: _Round, cluster: str, arrival: Arrival) -> None:
        """Of what the request brought nothing is left, unless it was renamed, or broke off and may go on."""
        known.arriving[cluster].remove(arrival)
        with self._lock:
            candidates = [arrival, *filter(None, [known.cut.pop(cluster, None)])]
            if known.open and cluster not in known.uploads and (going_on := [each for each in candidates if each.broken_off]):
                known.cut[cluster] = going_on[0]
                candidates.remove(going_on[0])
            for useless in candidates:
                useless.path.unlink(missing_ok=True)
        arrival.ended.set()


def serve(exchange: Exchange, port: int) -> AbstractContextManager[int]:
    """Serves the exchange on loopback from a thread: ready when entered, gone when left.

    Raises:
        Failed: the port is taken.
    """
    return loopback.serving(exchange.app, port)


async def _receive(request: Request, arrival: Arrival) -> None:
    """The body, to its last byte and as it was promised."""
    try:
        await arrival.take(request.stream())
    except NoRoomError:
        raise HTTPException(507, f"the hub's disk has no room for an adapter of {arrival.whole} bytes") from None
    except (ClientDisconnect, TimeoutError):
        if arrival.size < arrival.whole:  # otherwise it is here, though its sender may not know
            raise HTTPException(408, "the upload broke off or stood still; what came is kept, so the rest is enough") from None
    if not arrival.faithful:
        raise HTTPException(400, "the bytes that arrived are not those of the digest", {"upload-offset": "0"})


def _member(request: Request, known: _Round) -> str:
    cluster = loopback.sender(request)
    if cluster not in known.terms:
        raise HTTPException(403, f"{cluster} takes no part in this round")
    return cluster


class _File(FileResponse):
    """Starlette's file with ranges, in chunks that do not drown in thread switches, counting what leaves."""

    chunk_size = 1 << 20

    def __init__(self, path: Path, tag: str, count: Callable[[int], None]) -> None:
        super().__init__(path, headers={"etag": tag}, media_type="application/octet-stream")
        self._count = count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def counted(message: Message) -> None:
            self._count(len(message.get("body", b"")))
            await send(message)

        await super().__call__(scope, receive, counted)
