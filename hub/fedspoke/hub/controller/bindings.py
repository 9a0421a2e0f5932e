"""A cluster set is bound to a namespace once, for all federations there that name it: the binding goes with the last of them.

Each of them is an owner of the binding, so that Kubernetes' garbage collector sees to its end. One that somebody else has made
is left as it is.
"""

from collections.abc import Iterable, Mapping, Sequence

from fedspoke.api.base import Object
from fedspoke.api.names import OURS


def missing(wanted: Iterable[Object], there: Iterable[Object], owner: Mapping[str, str]) -> list[Object]:
    """The bindings to apply for one federation, which `owner` refers to, besides those that are `there`."""
    found = {it["metadata"]["name"]: it for it in there}
    return [
        it | {"metadata": it["metadata"] | {"ownerReferences": [dict(owner)]}}
        for it in wanted
        if (known := found.get(it["metadata"]["name"])) is None or (_ours(known) and owner["uid"] not in _owners(known))
    ]


def _ours(binding: Object) -> bool:
    return OURS.items() <= (binding["metadata"].get("labels") or {}).items()


def _owners(binding: Object) -> Sequence[str]:
    return [it["uid"] for it in binding["metadata"].get("ownerReferences") or []]
