"""mcp-server: the collaborator's trainer as an MCP server, which keeps the model loaded between rounds.

On loopback for a collaborator. Loopback is shared by all processes of a pod (or of a laptop), so that every request carries a
token that only this user can read. On its standard input and output for a program that starts it, such as a desktop client.
"""

import hmac
import logging
import os
import secrets
import socket
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import anyio
import uvicorn
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from fedspoke.api import files
from fedspoke.api.errors import Refused
from fedspoke.api.records import CollaboratorSettings
from fedspoke.collaborator import curating_tools, resources
from fedspoke.collaborator.ending import Ending
from fedspoke.collaborator.tail import Tail
from fedspoke.collaborator.tools import Server, tools, until_ended

if TYPE_CHECKING:
    from fedspoke.collaborator.steps import Steps

_log = logging.getLogger(__name__)


def serve(settings: CollaboratorSettings) -> None:
    """Serve http://127.0.0.1:<mcpPort>/mcp until SIGTERM or Ctrl-C. The token is in place before the port answers.

    Raises:
        Refused: the port is taken, or the token cannot be written.
    """
    tail, ending = _begin(), Ending()
    with _bound(settings.mcp_port) as listener:
        token = secrets.token_urlsafe(32)
        _write_token(Path(settings.mcp_token), token)
        server, steps = _offered(settings, tail, ending)
        if settings.curation:
            curating_tools.offer(server, steps)
        app = Bearer(server.streamable_http_app(), token)
        config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="on", ws="none", server_header=False)
        _log.info("mcp-server of %s listens on 127.0.0.1:%d", settings.cluster, settings.mcp_port)
        _Server(config, ending).run(sockets=[listener])


def serve_stdio(settings: CollaboratorSettings) -> None:
    """Serve whoever started this process until it closes its end; nothing listens. What is no answer goes to standard error."""
    tail = _begin()
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # a library's word, or a child's, would be taken for an answer
    requests = os.fdopen(os.dup(sys.stdin.fileno()), encoding="utf-8", errors="replace")
    os.dup2(os.open(os.devnull, os.O_RDONLY), sys.stdin.fileno())
    _log.info("mcp-server of %s answers on its standard output", settings.cluster)
    server, _ = _offered(settings, tail, Ending())  # and no tool that shows posts: a desktop client's model may be anywhere
    anyio.run(server.serve_stdio, requests, answers)
    os._exit(0)  # as for a signal: there is nothing to finish


class Bearer:
    """Lets a request through that carries the token; 401 for any other."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._expected = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "http":
            given = Headers(scope=scope).get("authorization", "").encode("latin-1")
            if not hmac.compare_digest(given, self._expected):
                refusal = PlainTextResponse("this server wants its bearer token\n", 401, {"WWW-Authenticate": "Bearer"})
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)


class _Server(uvicorn.Server):
    """Ends as soon as nothing would be lost, and waits for no connection."""

    def __init__(self, config: uvicorn.Config, ending: Ending) -> None:
        super().__init__(config)
        self._ending = ending

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._ending.end(128 + sig)


def _begin() -> Tail:
    os.umask(0o077)  # records, adapters and profiles are this user's alone, on a laptop too
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    ours = logging.getLogger("fedspoke")
    ours.setLevel(logging.INFO)
    tail = Tail()
    ours.addHandler(tail)
    return tail


def _offered(settings: CollaboratorSettings, tail: Tail, ending: Ending) -> tuple[Server, "Future[Steps]"]:
    # torch takes seconds to import. All of it happens in one thread: two that import it crosswise could see it half done.
    steps = ThreadPoolExecutor(1, "imports").submit(_steps, settings, ending)
    server = tools(steps, settings.mcp_port, ending)
    resources.offer(server, steps, tail)
    return server, steps


def _steps(settings: CollaboratorSettings, ending: Ending) -> "Steps":
    from fedspoke.collaborator.steps import Steps  # the server listens before torch is there

    return Steps(settings, until_ended(ending))


def _bound(port: int) -> socket.socket:
    """The port, taken before the token is written: a second server must not overwrite the first one's token."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        listener.close()
        raise Refused(f"mcp-server cannot listen on 127.0.0.1:{port}: {error.strerror}; name a free mcpPort") from error
    return listener


def _write_token(path: Path, token: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.replace(path, token.encode(), 0o600)
    except OSError as error:
        raise Refused(
            f"the token cannot be written to {path}: {error.strerror}; name an mcpToken in a writable folder"
        ) from error
