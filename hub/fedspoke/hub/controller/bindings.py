"""A cluster set is bound to a namespace once, for all federations there that name it: the binding goes with the last of them.

Each of them is an owner of the binding, so that Kubernetes' garbage collector sees to its end. One that somebody else has made
is left as it is.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from fedspoke.api.base import Object
from fedspoke.api.names import OURS

_HEARD = timedelta(seconds=30)
"""In which OCM's placement controller, which watches bindings, has decided by a new one."""


def missing(wanted: Iterable[Object], there: Iterable[Object], owner: Mapping[str, str]) -> list[Object]:
    """The bindings to apply for one federation, which `owner` refers to, besides those that are `there`."""
    found = {it["metadata"]["name"]: it for it in there}
    return [
        it | {"metadata": it["metadata"] | {"ownerReferences": [dict(owner)]}}
        for it in wanted
        if (known := found.get(it["metadata"]["name"])) is None or (_ours(known) and owner["uid"] not in _owners(known))
    ]


def unheard(wanted: Iterable[Object], there: Iterable[Object], now: datetime) -> bool:
    """Whether OCM may have decided without one of the bindings: it is not there, or is there only since a moment ago."""
    found = {it["metadata"]["name"]: datetime.fromisoformat(it["metadata"]["creationTimestamp"]) for it in there}
    return any((made := found.get(it["metadata"]["name"])) is None or now < made + _HEARD for it in wanted)


def _ours(binding: Object) -> bool:
    return OURS.items() <= (binding["metadata"].get("labels") or {}).items()


def _owners(binding: Object) -> Sequence[str]:
    return [it["uid"] for it in binding["metadata"].get("ownerReferences") or []]
