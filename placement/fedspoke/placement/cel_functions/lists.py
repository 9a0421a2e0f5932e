"""CEL's list library of Kubernetes: sum, max, min, isSorted, indexOf, lastIndexOf.

Source: k8s.io/apiserver, pkg/cel/library/lists.go. In a list of `dyn`, values of different types cannot be compared, but
numbers can.
"""

from datetime import timedelta
from typing import Any

from fedspoke.placement.cel_functions.opaque import (
    BOOL,
    BYTES,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    STRING,
    TIMESTAMP,
    UINT,
    Overload,
    list_of,
    map_of,
)

_SUMMABLE = (INT, UINT, DOUBLE, DURATION)
_COMPARABLE = (*_SUMMABLE, BOOL, TIMESTAMP, STRING, BYTES)
_ELEMENTS = (*_COMPARABLE, list_of(DYN), map_of(DYN, DYN))


def _sort(value: Any) -> type:
    return float if type(value) is int else type(value)


def _alike(values: list[Any]) -> list[Any]:
    if len({_sort(value) for value in values}) > 1 or (values and isinstance(values[0], list | dict | None)):
        raise ValueError("no such overload")
    return values


def _sum(values: list[Any]) -> Any:
    if len({type(value) for value in values}) > 1 or (values and not isinstance(values[0], int | float | timedelta)):
        raise ValueError("no such overload")
    return sum(values[1:], values[0]) if values else 0


def _most(name: str, choose: Any) -> Any:
    def of(values: list[Any]) -> Any:
        if not values:
            raise ValueError(f"{name} called on empty list")
        return choose(_alike(values))

    return of


def _is_sorted(values: list[Any]) -> bool:
    return all(not before > after for before, after in zip(_alike(values), values[1:], strict=False))


def _index(values: list[Any], wanted: Any, last: bool = False) -> int:
    at = [index for index, value in enumerate(values) if _sort(value) is _sort(wanted) and value == wanted]
    return (at[-1] if last else at[0]) if at else -1


OVERLOADS = [
    *(Overload("sum", (list_of(it),), it, _sum) for it in _SUMMABLE),
    *(Overload("max", (list_of(it),), it, _most("max", max)) for it in _COMPARABLE),
    *(Overload("min", (list_of(it),), it, _most("min", min)) for it in _COMPARABLE),
    *(Overload("isSorted", (list_of(it),), BOOL, _is_sorted) for it in _COMPARABLE),
    *(Overload("indexOf", (list_of(it), it), INT, _index) for it in _ELEMENTS),
    *(
        Overload("lastIndexOf", (list_of(it), it), INT, lambda values, wanted: _index(values, wanted, last=True))
        for it in _ELEMENTS
    ),
]
