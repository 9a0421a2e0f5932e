"""A process that is started in a container: bytes to its stdin, lines from its stdout."""

import time
from contextlib import suppress
from typing import Any

from websocket import WebSocketException

from fedspoke.api.errors import Failed

_PATIENCE = 600.0
"""Seconds of silence that count as a cut line; a large file's digest takes its time."""
_STDOUT, _STDERR = 1, 2


class CutError(Failed):
    """The line to the process is cut, or it has ended."""


class Exec:
    """One such process; it ends with the block at the latest."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._client.sock.settimeout(_PATIENCE)
        self._said = b""

    def __enter__(self) -> "Exec":
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(WebSocketException, OSError):
            self._client.close()

    def write(self, data: bytes) -> None:
        """Raises CutError once nobody takes it."""
        self._listen(0)
        if not self._client.is_open():
            raise CutError(self._why())
        try:
            self._client.write_stdin(data)
        except (WebSocketException, OSError) as error:
            raise CutError(f"the line was cut: {error}") from None

    def readline(self) -> bytes:
        """What it has said, without the line's end. Raises CutError where it says no more."""
        silent = time.monotonic() + _PATIENCE
        while b"\n" not in self._said:
            if not self._client.is_open():
                raise CutError(self._why())
            if time.monotonic() > silent:
                raise CutError(f"nothing was heard for {_PATIENCE:.0f} s")
            self._listen(1)
        line, _, self._said = self._said.partition(b"\n")
        return line

    def _listen(self, seconds: float) -> None:
        try:
            self._client.update(timeout=seconds)
        except (WebSocketException, OSError) as error:
            raise CutError(f"the line was cut: {error}") from None
        self._said += self._heard(_STDOUT)

    def _heard(self, channel: int) -> bytes:
        """What the client has of it; its own way of asking loses what came with the end."""
        return bytes(self._client._channels.pop(channel, b""))  # noqa: SLF001

    def _why(self) -> str:
        last = self._heard(_STDERR).decode(errors="replace").strip().splitlines()
        return f"the process has ended: {last[-1]}" if last else "the line was cut"
