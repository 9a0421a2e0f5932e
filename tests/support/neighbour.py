"""A language model or an S3 as a pod of a spoke runs it: `python -m support.neighbour language-model FOLDER PORT`.

Whoever sees the folder, too, can hold it up, and read there what it was shown.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

LANGUAGE_MODEL, S3 = "language-model", "s3"
KEY = "NEIGHBOUR_KEY"
"""The environment's: what the language model wants to be asked with."""
HELD = "held"
"""A file: as long as it is there, nothing is answered."""
SHOWN = "shown.jsonl"
"""Each post that the language model was shown, a line a request."""

_POLL = 0.1


def private(post: str) -> bool:
    """Whether the language model says of a post that somebody else's address is in it: of every third, or so."""
    return len(post) % 3 == 0


def _hold(folder: Path) -> None:
    while (folder / HELD).exists():
        time.sleep(_POLL)


def _language_model(folder: Path, port: int) -> None:
    from support.language_model import Request, saying, serving

    def judge(request: Request) -> str:
        with (folder / SHOWN).open("a") as file:
            file.write(f"{json.dumps(request.post)}\n")
        _hold(folder)
        said = saying({}, otherwise="contact" if private(request.post) else "keep")(request)
        return str(said)

    with serving(judge, os.environ[KEY], port, host=""):
        threading.Event().wait()


def _s3(folder: Path, port: int) -> None:
    os.environ["S3_IGNORE_SUBDOMAIN_BUCKETNAME"] = "true"  # else moto takes a Service's name for a bucket's
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
    from werkzeug.serving import make_server

    store = DomainDispatcherApplication(create_backend_app)

    def held(environment: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        _hold(folder)
        answer: Iterable[bytes] = store(environment, start)
        return answer

    handler = MotoRequestHandler
    make_server("0.0.0.0", port, held, threaded=True, request_handler=handler).serve_forever()  # noqa: S104  of whatever pod


if __name__ == "__main__":
    {LANGUAGE_MODEL: _language_model, S3: _s3}[sys.argv[1]](Path(sys.argv[2]), int(sys.argv[3]))
