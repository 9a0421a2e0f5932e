"""What must be applied and what must go, from what is wanted and what is there: no call is made for what is right already."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from fedspoke.api.base import Object
from fedspoke.api.names import APPLIED
from fedspoke.api.units import parse_quantity


class Difference(NamedTuple):
    """Two lists of objects."""

    apply: list[Object]
    delete: list[Object]


def difference(wanted: Sequence[Object], live: Iterable[Object]) -> Difference:
    """What brings the live objects, all of which are ours, to what is wanted.

    One that is being deleted is neither: what is wanted in its place comes once it has gone.
    """
    there = {key(it): it for it in live}
    wanted = [stamped(it) for it in wanted]
    names = {key(it) for it in wanted}
    return Difference(
        apply=[it for it in wanted if (found := there.get(key(it))) is None or not (going(found) or covers(found, it))],
        delete=[it for known, it in there.items() if known not in names and not going(it)],
    )


def stamped(wanted: Object) -> Object:
    """With a digest of itself, so that a field that is wanted no longer is seen to be gone; `covers` looks for what is wanted."""
    digest = hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()
    metadata: Object = wanted["metadata"]
    return wanted | {"metadata": metadata | {"annotations": metadata.get("annotations", {}) | {APPLIED: digest}}}


def covers(live: Any, wanted: Any) -> bool:
    """Whether a live value has all that is wanted of it; what the API server or others added to it does not matter.

    Lists are of one length and compared in order, as server-side apply keeps the order of ours.
    """
    if isinstance(wanted, dict):
        return isinstance(live, dict) and all(covers(live.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        same = isinstance(live, list) and len(live) == len(wanted)
        return same and all(covers(*pair) for pair in zip(live, wanted, strict=True))
    return bool(live == wanted) or _same_quantity(live, wanted)


def key(it: Object) -> tuple[str, str, str]:
    """Kind, namespace and name."""
    return it["kind"], it["metadata"].get("namespace", ""), it["metadata"]["name"]


def _same_quantity(live: Any, wanted: Any) -> bool:
    """The API server writes 1024Mi as 1Gi."""
    try:
        return isinstance(live, str) and isinstance(wanted, str) and parse_quantity(live) == parse_quantity(wanted)
    except ValueError:
        return False


def going(it: Object) -> bool:
    """Whether it is being deleted."""
    return "deletionTimestamp" in it["metadata"]
