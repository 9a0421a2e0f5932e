"""A model hub on loopback: as much of its HTTP interface as a download uses, serving one folder under one name."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit


@contextmanager
def model_hub(name: str, folder: Path) -> Iterator[tuple[str, list[str]]]:
    """The URL of a hub that knows one model, and the paths that it is asked for."""
    asked: list[str] = []
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    commit = "0" * 40

    class Hub(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            asked.append(path)
            if path in (f"/api/models/{name}", f"/api/models/{name}/revision/main"):
                self.answer(json.dumps({"id": name, "sha": commit, "siblings": []}).encode())
            elif path == f"/api/models/{name}/tree/{commit}":
                entries = [
                    {
                        "type": "file",
                        "path": file,
                        "size": len(content),
                        "oid": hashlib.sha1(content, usedforsecurity=False).hexdigest(),
                    }
                    for file, content in files.items()
                ]
                self.answer(json.dumps(entries).encode())
            elif (file := path.removeprefix(f"/{name}/resolve/{commit}/")) in files:
                self.answer(files[file], {"ETag": f'"{hashlib.sha256(files[file]).hexdigest()}"', "X-Repo-Commit": commit})
            else:
                self.answer(b"{}", {"X-Error-Code": "RepoNotFound"}, status=404)

        def answer(self, content: bytes, headers: dict[str, str] | None = None, status: int = 200) -> None:
            self.send_response(status)
            for key, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
                self.send_header(key, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
