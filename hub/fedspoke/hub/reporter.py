"""Tells the controller how one federation goes: what the aggregator writes to its volume, in a ConfigMap on the hub.

It is a process of its own, so that the aggregator, which speaks with clusters, holds no token of the hub's API.
"""

import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from fedspoke.api.base import Object
from fedspoke.api.errors import Failed
from fedspoke.api.records import RoundRecord
from fedspoke.hub.aggregation import owner, releases
from fedspoke.kube.client import Kubernetes, kind_of

log = logging.getLogger("fedspoke")

PROGRESS, ROUNDS = "progress.json", "rounds.jsonl"
HEARD = "heard"
"""When the reporter last gave a sign of life, about once a minute: what it told before is only as true as that is young."""
_FILES = (PROGRESS, ROUNDS, releases.FILE)
_LOOK = 1.0
_LOOKS, _SIGN = 15, 60
"""Until what was told is looked for, where nothing is new; and until a sign of life is given."""
_AGAIN = 10.0
_ROOM = 700_000
"""Characters of rounds, of the million that a ConfigMap takes; the oldest are left out."""


def report(
    kube: Kubernetes,
    state: Path,
    federation: str,
    config_map: Object,
    wait: Callable[[float], None] = time.sleep,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> None:
    """For ever: a change of the files is in the ConfigMap a moment later. What cannot be told is told later."""
    told: dict[str, str] = {}
    looks = 0
    while True:
        now, looks = read(state, federation), looks + 1
        if now == told and looks % _LOOKS:
            wait(_LOOK)
            continue
        try:
            if now != told or (now and (looks % _SIGN == 0 or not _there(kube, config_map, now))):
                kube.merge(config_map, {"data": now | {HEARD: f"{clock():%Y-%m-%dT%H:%M:%SZ}"}})
        except Failed as error:
            log.warning("the hub is not told how the federation goes: %s; tried again in %.0f s", error, _AGAIN)
            wait(_AGAIN)
        else:
            told = now
            wait(_LOOK)


def _there(kube: Kubernetes, config_map: Object, told: Mapping[str, str]) -> bool:
    """Whether what was told is still there: who deletes a ConfigMap gets an empty one."""
    metadata = config_map["metadata"]
    found = kube.get(kind_of(config_map), metadata["name"], metadata["namespace"]) or {}
    return told.items() <= (found.get("data") or {}).items()


def read(state: Path, federation: str) -> dict[str, str]:
    """What there is to tell of the federation with this uid; where the folder is another's, that it was refused."""
    found = {}
    for name in _FILES if not owner.others(state, federation) else [PROGRESS]:
        try:
            found[name] = (state / name).read_bytes().decode(errors="replace")  # of a line that is being written, half a letter
        except FileNotFoundError:
            continue
    if ROUNDS in found:
        whole, end, _ = found[ROUNDS].rpartition("\n")  # a last line without its end is still being written
        found[ROUNDS] = whole + end if len(whole) < _ROOM else (whole[-_ROOM:] + end).partition("\n")[2]
    return found


def rounds(told: Mapping[str, str]) -> tuple[RoundRecord, ...]:
    """What the ConfigMap's data tell of finished rounds; nothing, if another version wrote them."""
    try:
        return tuple(RoundRecord.model_validate_json(line) for line in told.get(ROUNDS, "").splitlines())
    except ValidationError:
        return ()


def heard(told: Mapping[str, str]) -> datetime | None:
    """When there was a sign of life last; None where there was none, or one of a version that gave none."""
    try:
        return datetime.fromisoformat(told.get(HEARD, ""))
    except ValueError:
        return None
