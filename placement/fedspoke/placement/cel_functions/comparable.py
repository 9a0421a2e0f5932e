"""CEL's libraries `quantity` and `semver`: amounts and versions that have an order.

Source: k8s.io/apiserver, pkg/cel/library. A Semver's build metadata does not tell two versions apart.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import ROUND_UP, Decimal, localcontext
from functools import total_ordering
from typing import Any

from fedspoke.api.units import parse_quantity
from fedspoke.placement.cel_functions.opaque import BOOL, DOUBLE, INT, STRING, Kubernetes, Overload, text_of
from fedspoke.placement.quantity import approximate

_LARGEST = Decimal(2**63 - 1)
_DIGITS = 18  # of a number that Kubernetes keeps as an integer
_NO_DIGITS = re.compile(r"([+-]?)(\.?)(?=[EPTGMkKnum]|[eE][0-9+-]|$)")  # Kubernetes reads "." or "-Mi" as zero
_NUMBER = "(?:0|[1-9][0-9]*)"
_PRERELEASE = "(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_SEMVER = re.compile(
    rf"(?P<numbers>{_NUMBER}\.{_NUMBER}\.{_NUMBER})"
    rf"(?:-(?P<pre>{_PRERELEASE}(?:\.{_PRERELEASE})*))?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
)


@total_ordering
@dataclass(frozen=True, slots=True)
class Version:
    """A semantic version, without its build metadata; one before a release is less than the release."""

    numbers: tuple[int, ...]
    before: tuple[str, ...] = field(default=())

    def __lt__(self, other: "Version") -> bool:
        return bool(self._order() < other._order())

    def __str__(self) -> str:
        return ".".join(map(str, self.numbers)) + ("-" + ".".join(self.before) if self.before else "")

    def _order(self) -> Any:
        # Numeric identifiers are less than others, and fewer are less than more.
        identifiers = [(0, int(it), "") if it.isdecimal() else (1, 0, it) for it in self.before]
        return self.numbers, not self.before, identifiers


def version(text: str) -> Version:
    """`1.2.3-rc.1` as semver.org has it; OCM takes the library's first version, which normalizes nothing.

    Raises:
        ValueError: it is none.
    """
    found = _SEMVER.fullmatch(text)
    if not found or any(int(number) >= 2**64 for number in found["numbers"].split(".")):
        raise ValueError(f"{text} is no semantic version")
    return Version(tuple(map(int, found["numbers"].split("."))), tuple(found["pre"].split(".")) if found["pre"] else ())


def amount(text: str) -> Decimal:
    """A resource.Quantity, at most 2⁶³−1 and rounded up to a billionth as Kubernetes keeps it.

    Raises:
        ValueError: the text is none.
    """
    with localcontext(prec=100):
        try:
            value = parse_quantity(_NO_DIGITS.sub(r"\g<1>0\2", text, count=1) if text and _NO_DIGITS.match(text) else text)
        except ArithmeticError:
            raise ValueError(f"the exponent of {text!r} is too large for a quantity") from None
        return max(-_LARGEST, min(_LARGEST, value)).quantize(Decimal("1e-9"), rounding=ROUND_UP)


QUANTITY = Kubernetes("Quantity", Decimal)
SEMVER = Kubernetes("Semver", version)


def _quantity(value: Decimal) -> Any:
    with localcontext(prec=100):
        return QUANTITY.wrap(f"{value.normalize():f}" if value else "0")


def _integer(message: Any) -> int:
    value = QUANTITY.unwrap(message)
    if value != int(value) or len(value.normalize().as_tuple().digits) > _DIGITS or abs(value) > _LARGEST:
        raise ValueError("cannot convert value to integer")
    return int(value)


def _is(read: Callable[[Any], object], argument: object) -> bool:
    try:
        read(argument)
    except ValueError:
        return False
    return True


def _integral(message: Any) -> bool:
    return _is(_integer, message)


def _compare(one: Any, other: Any) -> int:
    kind = QUANTITY if one.DESCRIPTOR.name == QUANTITY.name else SEMVER
    left, right = kind.unwrap(one), kind.unwrap(other)
    return int(left > right) - int(left < right)


def _ordered(kind: Kubernetes) -> list[Overload]:
    two = (kind.type, kind.type)
    return [
        Overload("isGreaterThan", two, BOOL, lambda one, other: _compare(one, other) > 0),
        Overload("isLessThan", two, BOOL, lambda one, other: _compare(one, other) < 0),
        Overload("compareTo", two, INT, _compare),
    ]


def _arithmetic(name: str, sign: int) -> list[Overload]:
    def with_quantity(one: Any, other: Any) -> Any:
        with localcontext(prec=100):
            return _quantity(QUANTITY.unwrap(one) + sign * QUANTITY.unwrap(other))

    def with_int(one: Any, other: int) -> Any:
        with localcontext(prec=100):
            return _quantity(QUANTITY.unwrap(one) + sign * other)

    return [
        Overload(name, (QUANTITY.type, QUANTITY.type), QUANTITY.type, with_quantity),
        Overload(name, (QUANTITY.type, INT), QUANTITY.type, with_int),
    ]


OVERLOADS = [
    Overload("quantity", (STRING,), QUANTITY.type, lambda text: _quantity(amount(text)), member=False),
    Overload("isQuantity", (STRING,), BOOL, lambda text: _is(amount, text), member=False),
    Overload("sign", (QUANTITY.type,), INT, lambda it: _compare(it, _quantity(Decimal())), member=False),
    Overload("asApproximateFloat", (QUANTITY.type,), DOUBLE, lambda it: approximate(text_of(it))),
    Overload("asInteger", (QUANTITY.type,), INT, _integer),
    Overload("isInteger", (QUANTITY.type,), BOOL, _integral),
    *_arithmetic("add", 1),
    *_arithmetic("sub", -1),
    *_ordered(QUANTITY),
    Overload("semver", (STRING,), SEMVER.type, lambda text: SEMVER.wrap(version(text)), member=False),
    Overload("isSemver", (STRING,), BOOL, lambda text: _is(version, text), member=False),
    *_ordered(SEMVER),
    *(
        Overload(part, (SEMVER.type,), INT, lambda it, at=at: SEMVER.unwrap(it).numbers[at])
        for at, part in enumerate(("major", "minor", "patch"))
    ),
]
