"""Where adapters change hands: each cluster fetches the one a round starts from and leaves its own.

It is beside Flower's messages: inside them a round costs six times as much (`make bench`). An upload is spooled to disk,
hashed while it arrives and verified tensor by tensor; only then does it exist (slot.py). The cluster is the one in the
certificate.

    GET /v1/runs/{run}/rounds/{n}/adapter    ETag = SHA-256; Range; If-None-Match
    GET with Fedspoke-Ticket                 no adapter: the cluster shows whose node it is that was given the ticket (tickets.py)
    PUT /v1/runs/{run}/rounds/{n}/adapter    with Content-Length, Content-Digest (RFC 9530) and Fedspoke-Examples
    HEAD with Repr-Digest                    Upload-Offset: how many bytes of the upload with this digest are here
    PUT with Content-Range and Repr-Digest   the bytes from Upload-Offset on, to the end (claim.py)
    DELETE /v1/runs/{run}/adapter            the cluster's owner withdraws: what it left in the open round is not to count

What came of an upload whose line was cut is kept while the round is open: the last one of each cluster, never larger than an
adapter. Whoever asks after it has given up on the request that brought it, so that one ends first, though the hub may not have
noticed the cut: two never write into one file. This is the way of the IETF's resumable uploads
(draft-ietf-httpbis-resumable-upload) without the URI that they make for each upload: the certificate and the digest name it. A
rest that does not begin at Upload-Offset is answered 409 with the right one; a whole whose digest is wrong is dropped whole.
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from fedspoke.api.errors import Refused
from fedspoke.hub import loopback
from fedspoke.hub.aggregation import claim as claims
from fedspoke.hub.aggregation import tensor_file
from fedspoke.hub.aggregation.slot import Crowded, Delivery, Elsewhere, Late, NotTaken, Other, Slot
from fedspoke.hub.aggregation.spool import Arrival, NoRoomError, discard
from fedspoke.hub.aggregation.tickets import Tickets
from fedspoke.hub.aggregation.uploads import Uploads

PATH = "/v1/runs/{run}/rounds/{round:int}/adapter"
OWN = "/v1/runs/{run}/adapter"

_STATUS: dict[type[NotTaken], int] = {Elsewhere: 409, Other: 409, Late: 410, Crowded: 429}


class Exchange:
    """The adapters of one run over HTTP, as `app`."""

    def __init__(self, run: str, uploads: Uploads, tickets: Tickets) -> None:
        self.run = run
        self.uploads = uploads
        self.tickets = tickets
        handlers = {"HEAD": self._ask, "GET": self._get, "PUT": self._put}  # a route for GET answers HEAD too, so it comes later
        routes = [Route(PATH, handler, methods=[method]) for method, handler in handlers.items()]
        self.app = loopback.application([*routes, Route(OWN, self._withdraw, methods=["DELETE"])])

    async def _get(self, request: Request) -> Response:
        if (ticket := request.headers.get("fedspoke-ticket")) is not None:
            return self._introduce(request, ticket)
        slot = self._slot(request)
        tag = f'"{slot.terms.digest}"'
        if tag in (value.strip() for value in request.headers.get("if-none-match", "").split(",")):
            return Response(status_code=304, headers={"etag": tag})
        if not slot.terms.adapter.is_file():
            raise HTTPException(404, f"the adapter of round {slot.number} is no longer kept")

        def count(size: int) -> None:
            slot.sent += size

        return _File(slot.terms.adapter, tag, count)

    def _introduce(self, request: Request, ticket: str) -> Response:
        cluster = loopback.sender(request)
        if request.path_params["run"] != self.run or not self.tickets.present(ticket, cluster):
            raise HTTPException(403, f"no node of {cluster} was given this ticket; another order will bring another")
        self.uploads.welcome(cluster)
        return JSONResponse({"cluster": cluster})

    async def _withdraw(self, request: Request) -> Response:
        cluster, run = loopback.sender(request), request.path_params["run"]
        if run != self.run:
            raise HTTPException(404, f"there is no run {run!r:.200} here")
        self.uploads.withdraw(cluster)
        return Response(status_code=204)

    async def _ask(self, request: Request) -> Response:
        """How far an upload has come, once the request that brings it, if there is one, has ended."""
        slot = self._slot(request)
        digest = claims.digest(request.headers, "Repr-Digest")
        under_way = [arrival for arrival in slot.arriving if arrival.digest == digest]
        for arrival in under_way:
            arrival.stop()
        for arrival in under_way:
            await arrival.ended.wait()
        try:
            here, complete = slot.here(digest)
        except NotTaken as error:
            raise _refusal(error) from None
        headers = {"upload-offset": str(here), "upload-complete": f"?{complete:d}", "cache-control": "no-store"}
        return Response(status_code=204, headers=headers)

    async def _put(self, request: Request) -> Response:
        try:
            slot = self._slot(request)
            delivery = _begin(request, slot)
        except HTTPException:
            await discard(request.stream())
            raise
        try:
            await _receive(request, delivery.arrival)
            new = await asyncio.to_thread(slot.keep, delivery)
        except Refused as error:
            raise HTTPException(422, str(error)) from None
        except NotTaken as error:
            raise _refusal(error) from None
        else:
            return JSONResponse({"digest": delivery.claim.digest.hex()}, 201 if new else 200)
        finally:
            slot.end(delivery)

    def _slot(self, request: Request) -> Slot:
        """The sender's, in the round that the path names."""
        run, number = request.path_params["run"], request.path_params["round"]
        slots = self.uploads.round(number) if run == self.run else None
        if slots is None:
            raise HTTPException(404, f"there is no round {number} of a run {run!r:.200} here")
        cluster = loopback.sender(request)
        if cluster not in slots:
            raise HTTPException(403, f"{cluster} takes no part in this round")
        return slots[cluster]


def serve(exchange: Exchange, port: int) -> AbstractContextManager[int]:
    """Serves the exchange on loopback from a thread: ready when entered, gone when left.

    Raises:
        Failed: the port is taken.
    """
    return loopback.serving(exchange.app, port)


def _begin(request: Request, slot: Slot) -> Delivery:
    """All that can be decided before the body arrives."""
    try:
        slot.admit()
        return slot.begin(claims.read(request.headers, tensor_file.largest(slot.terms.upload)))
    except NotTaken as error:
        raise _refusal(error) from None


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


def _refusal(error: NotTaken) -> HTTPException:
    headers = {"upload-offset": str(error.here)} if isinstance(error, Elsewhere) else None
    return HTTPException(_STATUS[type(error)], str(error), headers)


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
