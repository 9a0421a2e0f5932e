"""Where a round's seconds go, read from the gateway's access log: who fetched and who left what, from when to when."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from statistics import fmean
from typing import Any

WORDS = {
    "order": "the order's way through Flower",
    "download": "download",
    "training": "training, and what the client reads and hashes",
    "upload": "upload and its verification",
    "wait": "waiting for slower clients",
    "answer": "the answers' way through Flower",
    "combine": "combining",
}


@dataclass(frozen=True)
class Transfer:
    """One cluster's download or upload; seconds since the epoch."""

    begin: float
    end: float


def split(lines: Iterable[str], number: int, began: float, combining: float, ended: float) -> dict[str, float]:
    """Seconds of round `number` by phase: the mean over its clusters, so that they add up to the round's.

    Args:
        lines: Of the access log.
        number: Which round.
        began: When the round before it was done.
        combining: When all that was needed had come and the hub began to combine it.
        ended: When the round was done.
    """
    requests = [json.loads(line) for line in lines if f"/rounds/{number}/adapter" in line]
    down, up = _transfers(requests, "GET"), _transfers(requests, "PUT")
    last = max(transfer.end for transfer in up.values())
    parts = {
        "order": [down[who].begin - began for who in up],
        "download": [down[who].end - down[who].begin for who in up],
        "training": [up[who].begin - down[who].end for who in up],
        "upload": [up[who].end - up[who].begin for who in up],
        "wait": [last - up[who].end for who in up],
        "answer": [combining - last],
        "combine": [ended - combining],
    }
    return {name: fmean(seconds) for name, seconds in parts.items()}


def _transfers(requests: Iterable[Mapping[str, Any]], method: str) -> dict[str, Transfer]:
    """Cluster → its last successful one that carried an adapter; presenting a ticket is a GET without one."""
    found = {}
    for request in requests:
        size = int(request["bytesOut" if method == "GET" else "bytesIn"])
        if request["method"] == method and int(request["code"]) in (200, 201) and size > 1000:
            begin = datetime.fromisoformat(request["time"]).timestamp()
            found[request["identity"]] = Transfer(begin, begin + int(request["milliseconds"]) / 1000)
    return found
