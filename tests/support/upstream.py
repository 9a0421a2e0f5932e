"""A tiny service behind the gateway: it remembers what it was asked, and answers with what it saw."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Upstream:
    name: str
    port: int
    seen: list[str] = field(default_factory=list)  # "METHOD path"
    first_bytes: threading.Event = field(default_factory=threading.Event)  # of a body


@contextmanager
def serving(name: str) -> Iterator[Upstream]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            upstream.seen.append(f"{self.command} {self.path}")
            length, received = int(self.headers.get("content-length", 0)), 0
            while received < length and (chunk := self.rfile.read1(min(1 << 16, length - received))):
                received += len(chunk)
                upstream.first_bytes.set()
            headers = {key.lower(): value for key, value in self.headers.items()}
            body = json.dumps({"service": name, "path": self.path, "headers": headers, "received": received}).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = answer  # noqa: N815  the base class's names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    upstream = Upstream(name, server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield upstream
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
