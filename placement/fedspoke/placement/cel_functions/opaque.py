"""Kubernetes' own CEL types, and how a function of several overloads is given to the CEL library.

The library takes Python values of CEL's types only, so a Quantity, a Semver, an IP … travels as a small message that holds its
canonical text; two of them are equal exactly if their texts are. It finds a function at run time by the kinds of its
arguments, where all such messages are of one kind and so are all lists: overloads that differ in nothing else share one
implementation.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from cel_expr_python import cel
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

INT, UINT, DOUBLE, BOOL, STRING, BYTES = (
    cel.Type.INT,
    cel.Type.UINT,
    cel.Type.DOUBLE,
    cel.Type.BOOL,
    cel.Type.STRING,
    cel.Type.BYTES,
)
DURATION, TIMESTAMP, DYN = cel.Type.DURATION, cel.Type.TIMESTAMP, cel.Type.DYN
list_of, map_of = cel.Type.List, cel.Type.Map

_TEXT = "null"  # a field that CEL cannot select, since Kubernetes' types have none
_NAMES = ("Quantity", "Semver", "IP", "CIDR", "URL", "Nothing")
_FILE = descriptor_pb2.FileDescriptorProto(name="kubernetes.proto", package="kubernetes", syntax="proto3")
for _name in _NAMES:
    _FILE.message_type.add(name=_name).field.add(name=_TEXT, number=1, type="TYPE_STRING", label="LABEL_OPTIONAL")
POOL = descriptor_pool.DescriptorPool()
POOL.Add(_FILE)


@dataclass(frozen=True, slots=True)
class Kubernetes:
    """One of Kubernetes' types: its name in CEL, and how its canonical text becomes a Python value again."""

    name: str
    read: Callable[[str], Any]

    @property
    def type(self) -> cel.Type:
        """The type, for the checker."""
        return cel.Type(f"kubernetes.{self.name}")

    def wrap(self, value: object) -> Any:
        """A Python value, whose text is canonical, as CEL carries it."""
        descriptor = POOL.FindMessageTypeByName(f"kubernetes.{self.name}")
        return message_factory.GetMessageClass(descriptor)(**{_TEXT: str(value)})

    def unwrap(self, message: Any) -> Any:
        """What `wrap` was given."""
        return self.read(text_of(message))


def text_of(message: Any) -> str:
    """The canonical text that a message of any of these types holds."""
    return str(getattr(message, _TEXT))


_NOTHING = cel.Type("kubernetes.Nothing")
"""A type that no value has."""


@dataclass(frozen=True, slots=True)
class Overload:
    """One form of a function: what it takes and gives, and what computes it."""

    function: str
    takes: Sequence[cel.Type]
    gives: cel.Type
    does: Callable[..., Any]
    member: bool = True


def declared(overloads: Sequence[Overload]) -> list[cel.FunctionDecl]:
    """Overloads of any order as the library wants them: one declaration a name."""
    ordered = sorted(overloads, key=lambda it: it.function)
    return [cel.FunctionDecl(name, list(_of_one_name(list(forms)))) for name, forms in groupby(ordered, lambda it: it.function)]


def _of_one_name(forms: Sequence[Overload]) -> Iterator[cel.Overload]:
    by_kind: dict[object, list[Overload]] = {}
    for form in forms:
        by_kind.setdefault((form.member, *map(_kind, form.takes)), []).append(form)
    for alike in by_kind.values():
        one_result = len({it.gives.name() for it in alike}) == 1
        for index, it in enumerate(alike):
            name = f"{it.function}_{'_'.join(map(str, it.takes))}_{it.member}"
            does = it.does if one_result and index == 0 else None
            yield cel.Overload(name, it.gives, list(it.takes), it.member, *([does] if does else []))
        if not one_result:  # for the library to convert each result by what it is, not by what the first overload gives
            first = alike[0]
            takes = [list_of(_NOTHING), *first.takes[1:]]
            yield cel.Overload(f"{first.function}_run", DYN, takes, first.member, first.does)


def _kind(taken: cel.Type) -> str:
    name = taken.name().lower()
    return "message" if taken.is_message() else name.split("<")[0]
