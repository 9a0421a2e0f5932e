"""An API server that keeps lists: what it has, and every write it was asked for."""

import copy
from collections.abc import Iterable, Mapping

from fedspoke.api.base import Object
from fedspoke.api.errors import Failed
from fedspoke.kube.client import Kind, Kubernetes, kind_of


class Lists(Kubernetes):
    """Takes all it is given, unless told to refuse a kind or a name; knows no defaults, owners or controllers."""

    def __init__(self, *objects: Object, refuses: Iterable[str] = ()) -> None:
        self.objects = {_key(it): copy.deepcopy(it) for it in objects}
        self.writes: list[tuple[str, str, str]] = []
        """(verb with its subresource, kind, name)"""
        self._refuses = set(refuses)

    def get(self, kind: Kind, name: str, namespace: str | None = None) -> Object | None:
        return copy.deepcopy(self.objects.get((*kind, namespace or "", name)))

    def all(
        self,
        kind: Kind,
        namespace: str | None = None,
        labels: Mapping[str, str] | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> list[Object]:
        return [
            copy.deepcopy(it)
            for it in self.objects.values()
            if kind_of(it) == kind
            and namespace in (None, it["metadata"].get("namespace"))
            and (labels or {}).items() <= (it["metadata"].get("labels") or {}).items()
            and all(_field(it, path) == value for path, value in (fields or {}).items())
        ]

    def apply(self, wanted: Object) -> Object:
        return self._write("apply", wanted, self.objects.get(_key(wanted), {}) | wanted)

    def create(self, it: Object) -> Object:
        return self._write("create", it, it)

    def replace(self, it: Object, subresource: str | None = None) -> Object | None:
        return self._write(f"replace {subresource or ''}".strip(), it, it)

    def merge(self, it: Object, patch: Object, subresource: str | None = None) -> Object:
        return self._write(f"merge {subresource or ''}".strip(), it, _merged(self.objects[_key(it)], patch))

    def _write(self, verb: str, it: Object, result: Object) -> Object:
        if {it["kind"], it["metadata"]["name"]} & self._refuses:
            raise Failed(f"the Kubernetes API refuses to {verb} {it['kind']} {it['metadata']['name']}: forbidden")
        self.writes.append((verb, it["kind"], it["metadata"]["name"]))
        self.objects[_key(it)] = copy.deepcopy(result)
        return copy.deepcopy(result)


def _key(it: Object) -> tuple[str, str, str, str]:
    return (*kind_of(it), it["metadata"].get("namespace", ""), it["metadata"]["name"])


def _field(it: Object, path: str) -> object:
    value: object = it
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _merged(old: Object, patch: Object) -> Object:
    return old | {name: _merged(old.get(name) or {}, it) if isinstance(it, dict) else it for name, it in patch.items()}
