"""Durations, times and quantities as Kubernetes writes them, parsed once at the edge."""

import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any

import durationpy
from pydantic import BeforeValidator, Field, PlainSerializer

_DURATION = r"^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$"
_QUANTITY = r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?$"
_SUFFIX = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_TOO_LARGE = Decimal(10) ** 90
"""No cluster has that much; sums and ratios of less than that stay within floats, and within 100 digits."""
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}


def _duration(value: Any) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str) or not re.fullmatch(_DURATION, value):
        raise ValueError("must be a duration like 30m or 1h30m")
    duration: timedelta = durationpy.from_str(value)
    return duration


def format_duration(value: timedelta) -> str:
    """`timedelta(minutes=90)` → `1h30m`."""
    return str(durationpy.to_str(value)) if value else "0s"


Duration = Annotated[
    timedelta,
    BeforeValidator(_duration, json_schema_input_type=str),
    PlainSerializer(format_duration, return_type=str),
    Field(json_schema_extra={"pattern": _DURATION}),
]


def _time(value: Any) -> datetime:
    if isinstance(value, str):
        with suppress(ValueError, OverflowError):
            time = datetime.fromisoformat(value)
            if time.tzinfo and time.astimezone(UTC):  # in the years 1 and 9999 a zone may reach beyond what a datetime holds
                return time
    raise ValueError("must be a time with its zone like 2026-11-21T12:00:00Z")


Time = Annotated[datetime, BeforeValidator(_time, json_schema_input_type=str)]


def parse_quantity(value: str | int | float) -> Decimal:
    """`500m` → 0.5, `50Gi` → 53687091200 (apimachinery's resource.Quantity).

    Raises:
        ValueError: the text is no quantity.
    """
    text = str(value)
    if not re.fullmatch(_QUANTITY, text):
        raise ValueError(f"{text!r} is no quantity; write one like 50Gi, 4 or 500m")
    for suffix, power in _BINARY.items():
        if text.endswith(suffix):
            return Decimal(text.removesuffix(suffix)) * Decimal(1024**power)
    if text[-1] in _SUFFIX:
        return Decimal(text[:-1]).scaleb(_SUFFIX[text[-1]])
    return Decimal(text)


def _quantity(value: Any) -> str:
    # The API server takes a whole number or a text here, and no other number.
    if not isinstance(value, int | str) or not re.fullmatch(_QUANTITY, str(value)):
        raise ValueError('must be a quantity like 50Gi, 4, 500m or "0.5"')
    with suppress(ArithmeticError):  # an exponent that not even a Decimal holds
        if -_TOO_LARGE < parse_quantity(value) < _TOO_LARGE:
            return str(value)
    raise ValueError(f"must be less than {_TOO_LARGE:.0e}")


Quantity = Annotated[
    str, BeforeValidator(_quantity), Field(json_schema_extra={"pattern": _QUANTITY, "x-kubernetes-int-or-string": True})
]
