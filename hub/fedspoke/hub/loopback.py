"""HTTP services of the hub: on the loopback interface only, since the gateway is the one way in, and it decides who may come.

Whatever goes wrong is answered as `{"error": "<one sentence>"}`.
"""

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from fedspoke.api.errors import Failed, Refused
from fedspoke.hub import identity

HOST = "127.0.0.1"
_GRACE = 2  # seconds that requests in flight have when a service ends


def application(routes: Sequence[Route]) -> Starlette:
    """An application whose errors are sentences."""
    return Starlette(routes=routes, exception_handlers={HTTPException: _refused, Exception: _broken})


def sender(request: Request) -> str:
    """The cluster whose certificate the request came with, or 403."""
    try:
        return identity.cluster(request.headers.getlist(identity.HEADER))
    except Refused as error:
        raise HTTPException(403, str(error)) from None


def run(app: ASGIApp, port: int) -> None:
    """Serves until the process is told to end.

    Raises:
        Failed: the port is taken.
    """
    with _bound(port) as listener:
        _server(app).run(sockets=[listener])


@contextmanager
def serving(app: ASGIApp, port: int) -> Iterator[int]:
    """Serves from a thread: ready when entered, gone when left. Yields the port (of the system's choice for port 0).

    Raises:
        Failed: the port is taken.
    """
    with _bound(port) as listener:
        # The kernel accepts connections from here on; they wait in its queue until the loop turns.
        listener.listen(128)
        server = _server(app)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name=f"http-{port}", daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(_GRACE + 5)


def _server(app: ASGIApp) -> uvicorn.Server:
    return uvicorn.Server(
        uvicorn.Config(
            app,
            access_log=False,
            log_level="warning",
            timeout_graceful_shutdown=_GRACE,
            lifespan="off",
            ws="none",
        )
    )


def _bound(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        raise Failed(
            f"port {port} of {HOST} cannot be had ({error.strerror}); end what listens there or choose another"
        ) from None
    return listener


def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  Starlette chose the handler by this type
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


def _broken(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": f"the hub met an error of its own ({type(error).__name__}); its log has more"}, 500)
