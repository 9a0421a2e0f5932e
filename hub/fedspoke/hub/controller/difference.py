"""What must be applied and what must go, from what is wanted and what is there: no call is made for what is right already."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from fedspoke.api.base import Object


class Difference(NamedTuple):
    """Two lists of objects."""

    apply: list[Object]
    delete: list[Object]


def difference(wanted: Sequence[Object], live: Iterable[Object]) -> Difference:
    """What brings the live objects, all of which are ours, to what is wanted.

    One that is being deleted is neither: what is wanted in its place comes once it has gone.
    """
    there = {_key(it): it for it in live}
    names = {_key(it) for it in wanted}
    return Difference(
        apply=[it for it in wanted if (found := there.get(_key(it))) is None or not (_going(found) or covers(found, it))],
        delete=[it for key, it in there.items() if key not in names and not _going(it)],
    )


def covers(live: Any, wanted: Any) -> bool:
    """Whether a live value has all that is wanted of it; what the API server or others added to it does not matter.

    Lists are of one length and compared in order, as server-side apply keeps the order of ours.
    """
    if isinstance(wanted, dict):
        return isinstance(live, dict) and all(covers(live.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        same = isinstance(live, list) and len(live) == len(wanted)
        return same and all(covers(*pair) for pair in zip(live, wanted, strict=True))
    return bool(live == wanted)


def _key(it: Object) -> tuple[str, str, str]:
    return it["kind"], it["metadata"].get("namespace", ""), it["metadata"]["name"]


def _going(it: Object) -> bool:
    return "deletionTimestamp" in it["metadata"]
