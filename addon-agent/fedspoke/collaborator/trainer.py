"""The trainer (mcp-server) as flower-client calls it: MCP over streamable HTTP, one request a call.

Not the SDK's client: when the server dies during a call, its stream ends without an answer and that client (mcp 1.30) waits for
ever. Here an answer comes, or a sentence that says why not.
"""

import json
import socket
import time
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import httpx

from fedspoke.api.errors import Failed, Final
from fedspoke.api.records import CollaboratorSettings, Record
from fedspoke.collaborator.answers import PASSING
from fedspoke.collaborator.wanted import StillWanted, Tell, always, silent

R = TypeVar("R", bound=Record)

_PROTOCOL = "2025-06-18"
_TIMEOUT = httpx.Timeout(30, connect=5, read=300)  # the server sends a sign of life every 15 s, however long a tool takes
_POLL = 0.2


class Trainer:
    """The tools of one collaborator's mcp-server."""

    def __init__(self, settings: CollaboratorSettings) -> None:
        self._address = ("127.0.0.1", settings.mcp_port)
        self._url = f"http://127.0.0.1:{settings.mcp_port}/mcp"
        self._token = Path(settings.mcp_token)
        self._name = f"the trainer (mcp-server) of {settings.cluster}"

    def identity(self) -> str | None:
        """By which a trainer differs from one that was started in its place; None before the first one."""
        token = self._bearer()
        return sha256(token.encode()).hexdigest()[:12] if token else None

    def still(self, identity: str | None) -> bool:
        """Whether the trainer of this identity is there, with all that it keeps in memory."""
        return identity is not None and identity == self.identity() and self.up()

    def up(self) -> bool:
        """Whether anything listens where it should: at work or not, a trainer that lives takes connections."""
        try:
            socket.create_connection(self._address, timeout=_TIMEOUT.connect).close()
        except OSError:
            return False
        return True

    def await_up(self, seconds: float) -> None:
        """Return once the server answers.

        Raises:
            Failed: it does not, within this time.
        """
        until = time.monotonic() + seconds
        while True:
            try:
                self._request("ping", {})
            except Failed as error:
                if time.monotonic() > until:
                    raise Failed(f"{error} (tried for {seconds:.0f} s)") from error
                time.sleep(_POLL)
            else:
                return

    def call(
        self,
        tool: str,
        arguments: Mapping[str, object],
        answer: type[R],
        still_wanted: StillWanted = always,
        tell: Tell = silent,
    ) -> R:
        """Run a tool to its end; or, at the server's next sign of life, until nobody wants it: then the server stops, too.
        `tell` hears how far it is.

        Raises:
            Failed: it failed, in its own words, and says that this may pass; or the server does not answer.
            Final: it failed otherwise.
        """
        parameters: dict[str, object] = {"name": tool, "arguments": arguments, "_meta": {"progressToken": 1}}
        result = self._request("tools/call", parameters, still_wanted, tell)
        if result.get("isError"):
            said = "".join(part.get("text", "") for part in result.get("content", ())) or f"{tool} says that it failed"
            raise (Failed if (result.get("_meta") or {}).get(PASSING) is True else Final)(said)
        return answer.model_validate(result["structuredContent"])

    def _request(
        self, method: str, parameters: dict[str, object], still_wanted: StillWanted = always, tell: Tell = silent
    ) -> dict[str, Any]:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
        token = self._bearer()
        if token is None:
            raise Failed(f"{self._name} does not answer: it has not written its token yet")
        headers = {
            "authorization": f"Bearer {token}",
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": _PROTOCOL,
        }
        try:
            with httpx.stream("POST", self._url, json=body, headers=headers, timeout=_TIMEOUT, trust_env=False) as response:
                if not response.is_success:
                    raise Failed(f"{self._name} answers {response.status_code}: {response.read().decode(errors='replace'):.200}")
                heard = _heard(_messages(response, still_wanted), tell)
                reply = next((message for message in heard if message.get("id") == 1), None)
        except httpx.ConnectError as error:
            raise Failed(f"{self._name} does not answer: connection refused") from error
        except httpx.TimeoutException as error:
            raise Failed(f"{self._name} has said nothing for {_TIMEOUT.read:.0f} s") from error
        except httpx.TransportError as error:
            raise Failed(f"{self._name} broke off during {parameters.get('name', method)}") from error
        if reply is None:
            raise Failed(f"{self._name} broke off during {parameters.get('name', method)}")
        if "error" in reply:
            raise Failed(f"{self._name} refuses {method}: {reply['error'].get('message')}")
        result: dict[str, Any] = reply["result"]
        return result

    def _bearer(self) -> str | None:
        try:
            return self._token.read_text().strip()
        except OSError:
            return None


def _heard(messages: Iterable[dict[str, Any]], tell: Tell) -> Iterator[dict[str, Any]]:
    """The messages; what they say of how far the work is, is told."""
    for message in messages:
        if message.get("method") == "notifications/progress":
            told = message["params"]
            of = f"{told['progress']:g} of {told['total']:g}: " if told.get("total") else ""
            tell(f"{of}{told.get('message', '')}")
        yield message


def _messages(response: httpx.Response, still_wanted: StillWanted) -> Iterator[dict[str, Any]]:
    """The JSON-RPC messages of a response: one as JSON, or as many server-sent events."""
    if response.headers["content-type"].startswith("application/json"):
        yield json.loads(response.read())
        return
    data: list[str] = []
    for line in response.iter_lines():  # a sign of life is a line, too
        still_wanted()
        if line.startswith("data:"):
            data.append(line.removeprefix("data:"))
        elif not line and data:
            yield json.loads("\n".join(data))
            data.clear()
