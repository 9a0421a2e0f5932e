"""A TCP relay that keeps what passes, in each direction, and cuts the line where it is told to."""

import selectors
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Relay:
    """Listens on `port` of 127.0.0.1 and forwards to `target`; `passed` holds the bytes, a piece a connection and direction."""

    port: int
    target: int
    passed: dict[tuple[int, str], bytearray] = field(default_factory=dict)

    def everything(self) -> bytes:
        """All that passed; pieces are kept apart."""
        return b"\n--\n".join(bytes(piece) for piece in self.passed.values())


@contextmanager
def relay(target: int, cuts: Sequence[int] = (), port: int = 0) -> Iterator[Relay]:
    """A running relay; its connections end with the block. The n-th is cut after the n-th of `cuts` bytes to the target."""
    with socket.create_server(("127.0.0.1", port)) as server:
        kept = Relay(server.getsockname()[1], target)
        threading.Thread(target=_accept, args=(server, kept, cuts), daemon=True).start()
        yield kept
        server.shutdown(socket.SHUT_RDWR)


def _accept(server: socket.socket, kept: Relay, cuts: Sequence[int]) -> None:
    number = 0
    while True:
        try:
            client, _ = server.accept()
            upstream = socket.create_connection(("127.0.0.1", kept.target), timeout=30)
        except OSError:
            return
        number += 1
        out, back = kept.passed.setdefault((number, "out"), bytearray()), kept.passed.setdefault((number, "in"), bytearray())
        most = cuts[number - 1] if number <= len(cuts) else None
        threading.Thread(target=_pump, args=(client, upstream, out, back, most), daemon=True).start()


def _pump(client: socket.socket, upstream: socket.socket, out: bytearray, back: bytearray, most: int | None) -> None:
    with client, upstream, selectors.DefaultSelector() as ready:
        ready.register(client, selectors.EVENT_READ, (client, upstream, out))
        ready.register(upstream, selectors.EVENT_READ, (upstream, client, back))
        try:
            while ready.get_map():
                for key, _ in ready.select():
                    source, to, kept = key.data
                    rest = most - len(kept) if most is not None and kept is out else 1 << 16
                    piece = source.recv(min(1 << 16, rest)) if rest else b""
                    if not piece:
                        return
                    kept += piece
                    to.sendall(piece)
        except OSError:
            return
