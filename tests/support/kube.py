"""An API server that keeps lists: what it has, every write it was asked for, and with which rights."""

import copy
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count

from fedspoke.api.base import Object
from fedspoke.api.errors import Failed
from fedspoke.kube.client import MANAGER, Kind, Kubernetes, MissingKindError, kind_of

Right = tuple[str, Kind, str]
"""(verb, kind, subresource), as RBAC has them."""

_SYSTEM = ("uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp")
_BEGIN = datetime(2026, 11, 21, tzinfo=UTC)


class Lists(Kubernetes):
    """Takes all it is given, unless told to refuse a kind, a name or a namespace.

    It knows few defaults, no garbage collector and no controllers.
    """

    def __init__(self, *objects: Object, refuses: Iterable[str] = (), lacks: Iterable[Kind] = ()) -> None:
        self.objects: dict[tuple[str, str, str, str], Object] = {}
        self.writes: list[tuple[str, str, str]] = []
        """(verb with its subresource, kind, name)"""
        self.rights: set[Right] = set()
        """All that was needed so far."""
        self.refuses, self.lacks = set(refuses), set(lacks)
        self.conflicts = 0
        """So many of the next replacements find that somebody was quicker."""
        self._applied: dict[tuple[str, str, str, str], dict[str, Object]] = defaultdict(dict)
        self._numbers = count(1)
        for it in objects:
            self.keep(it)

    def get(self, kind: Kind, name: str, namespace: str | None = None) -> Object | None:
        self._asked("get", kind)
        return copy.deepcopy(self.objects.get((*kind, namespace or "", name)))

    def knows(self, kind: Kind) -> bool:
        return any(kind_of(it) == kind for it in self.objects.values())

    def each(
        self,
        kind: Kind,
        namespace: str | None = None,
        labels: Mapping[str, str | None] | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> Iterator[Object]:
        self._asked("list", kind)
        return (
            copy.deepcopy(it)
            for it in list(self.objects.values())
            if kind_of(it) == kind
            and namespace in (None, it["metadata"].get("namespace"))
            and _labelled(it, labels or {})
            and all(_field(it, path) == value for path, value in (fields or {}).items())
        )

    def apply(self, wanted: Object, manager: str = MANAGER, *, force: bool = True) -> Object:
        self._asked("patch", kind_of(wanted))
        live = self.objects.get(_key(wanted))
        if live is None:
            self._asked("create", kind_of(wanted))
        if live and not force and manager not in self._applied[_key(wanted)]:
            raise Failed(f"the Kubernetes API refuses to apply {wanted['kind']}: another manager has set its fields")
        others = [it for by, it in self._applied[_key(wanted)].items() if by != manager]
        kept = _pruned(live or {}, self._applied[_key(wanted)].get(manager, {}), [wanted, *others])
        self._applied[_key(wanted)][manager] = copy.deepcopy(wanted)
        return self._write("apply", wanted, _together(kept, wanted))

    def create(self, it: Object) -> Object:
        self._asked("create", kind_of(it))
        metadata = it["metadata"]
        named = it | {"metadata": metadata | {"name": metadata.get("name") or f"{metadata['generateName']}{next(self._numbers)}"}}
        if _key(named) in self.objects:
            raise Failed(f"the Kubernetes API refuses to create {it['kind']}: it exists already")
        return self._write("create", named, named)

    def replace(self, it: Object, subresource: str | None = None) -> Object | None:
        self._asked("update", kind_of(it), subresource)
        live = self.objects.get(_key(it)) or it
        if self.conflicts:
            self.conflicts -= 1
            return None
        if it["metadata"].get("resourceVersion") != live["metadata"].get("resourceVersion"):
            return None
        result = live | {"status": it["status"]} if subresource else it
        return self._write(f"replace {subresource or ''}".strip(), it, result)

    def merge(self, it: Object, patch: Object, subresource: str | None = None) -> Object:
        self._asked("patch", kind_of(it), subresource)
        live = self.objects[_key(it)]
        if (
            patch.get("metadata", {}).get("resourceVersion", live["metadata"]["resourceVersion"])
            != live["metadata"]["resourceVersion"]
        ):
            raise Failed("the Kubernetes API refuses to patch: the object has been modified")
        return self._write(f"merge {subresource or ''}".strip(), it, _merged(live, patch))

    def delete(self, it: Object) -> None:
        self._asked("delete", kind_of(it))
        if live := self.objects.get(_key(it)):
            gone = live | {"metadata": live["metadata"] | {"deletionTimestamp": "2026-11-21T12:00:00Z"}}
            self._write("delete", it, gone)

    def _write(self, verb: str, it: Object, result: Object) -> Object:
        if {it["kind"], it["metadata"]["name"], it["metadata"].get("namespace")} & self.refuses:
            raise Failed(f"the Kubernetes API refuses to {verb} {it['kind']} {it['metadata']['name']}: forbidden")
        self.writes.append((verb, it["kind"], it["metadata"]["name"]))
        return self.keep(result)

    def keep(self, it: Object) -> Object:
        """As an API server keeps it: whatever deletes it waits for its finalizers, and a change has a number."""
        metadata, live = it["metadata"], self.objects.get(_key(it))
        if "deletionTimestamp" in metadata and live is not None and not metadata.get("finalizers"):
            del self.objects[_key(it)]
            self._applied.pop(_key(it), None)
            return it
        number = next(self._numbers)
        made: Object = {
            "uid": f"uid-{number}",
            "resourceVersion": str(number),
            "generation": 1,
            "creationTimestamp": f"{_BEGIN + timedelta(seconds=number):%Y-%m-%dT%H:%M:%SZ}",
        }
        known = {key: value for key, value in (live or {}).get("metadata", {}).items() if key in _SYSTEM}
        kept: Object = _served(copy.deepcopy(it | {"metadata": made | metadata | known}))
        if "deletionTimestamp" in metadata:
            kept["metadata"]["deletionTimestamp"] = metadata["deletionTimestamp"]
        if live is not None and kept != live:
            kept["metadata"]["resourceVersion"] = str(number)
            kept["metadata"]["generation"] += kept.get("spec") != live.get("spec")
        self.objects[_key(it)] = kept
        return copy.deepcopy(kept)

    def _asked(self, verb: str, kind: Kind, subresource: str | None = None) -> None:
        self.rights.add((verb, kind, subresource or ""))
        if kind in self.lacks:
            raise MissingKindError(f"the API server knows no {kind.kind} of {kind.api_version}; install what defines it")


def _served(it: Object) -> Object:
    """With what an API server adds of its own, or writes differently."""
    match it:
        case {"kind": "Service", "spec": {"type": "NodePort", "ports": [port]}}:
            port.setdefault("nodePort", 31234)
        case {"kind": "PersistentVolumeClaim", "spec": {"resources": {"requests": {"storage": "1024Mi"}} as resources}}:
            resources["requests"]["storage"] = "1Gi"
    return it


def _key(it: Object) -> tuple[str, str, str, str]:
    return (*kind_of(it), it["metadata"].get("namespace", ""), it["metadata"]["name"])


def _labelled(it: Object, wanted: Mapping[str, str | None]) -> bool:
    labels = it["metadata"].get("labels") or {}
    return all(key in labels and value in (None, labels[key]) for key, value in wanted.items())


def _field(it: Object, path: str) -> object:
    value: object = it
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _merged(old: Object, patch: Object) -> Object:
    new = old | {name: _merged(old.get(name) or {}, it) if isinstance(it, dict) else it for name, it in patch.items()}
    return {name: it for name, it in new.items() if patch.get(name, it) is not None}


def _pruned(live: Object, applied: Object, wanted: Sequence[Object]) -> Object:
    """Without the fields that were applied before and that nobody wants any more."""
    left = dict(live)
    for name, value in applied.items():
        wants = [it[name] for it in wanted if name in it]
        if not wants:
            left.pop(name, None)
        elif isinstance(value, dict):
            left[name] = _pruned(left.get(name) or {}, value, wants)
    return left


def _together(live: Object, wanted: Object) -> Object:
    result = dict(live)
    for name, value in wanted.items():
        if name == "ownerReferences":
            others = [it for it in live.get(name, []) if it["uid"] not in {each["uid"] for each in value}]
            result[name] = [*others, *value]
        else:
            result[name] = _together(live.get(name) or {}, value) if isinstance(value, dict) else value
    return result
