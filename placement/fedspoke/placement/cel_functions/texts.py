"""What CEL reads out of a text: JSON by OCM's own library, parts that match by Kubernetes' regex library, on RE2.

Source: open-cluster-management.io/sdk-go, pkg/cel/library/json.go; k8s.io/apiserver, pkg/cel/library/regex.go.
"""

import json
from typing import Any

import re2

from fedspoke.placement.cel_functions.opaque import DYN, INT, STRING, Overload, list_of

_QUIET = re2.Options()
_QUIET.log_errors = False
_NOT_OF_GO = r"(?:^|[^\\])(?:\\\\)*\\C"
"""A single byte, which is no text."""


def parse_json(text: str) -> Any:
    """A JSON value; every number is a double, as OCM's Go gives it.

    Raises:
        ValueError: it is no JSON.
    """
    try:
        return json.loads(text, parse_int=float, parse_constant=_no_json)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"failed to parse json: {error}") from None


def _no_json(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


def pattern(text: str) -> Any:
    """A regular expression of RE2, which takes time and memory in proportion to the text and never more.

    Raises:
        ValueError: it is none.
    """
    if re2.search(_NOT_OF_GO, text):
        raise ValueError(f"error parsing regexp: invalid escape sequence: `\\C` in {text!r}")
    try:
        return re2.compile(text, _QUIET)
    except re2.error as error:
        raise ValueError(f"error parsing regexp: {error.args[0].decode(errors='replace')}") from None


def _find(text: str, regex: str) -> str:
    found = pattern(regex).search(text)
    return found[0] if found else ""


def _find_all(text: str, regex: str, most: int = -1) -> list[str]:
    found = []
    last_end = -1
    for match in pattern(regex).finditer(text):
        # Go takes no empty match right after another match.
        if match.end() == match.start() == last_end:
            continue
        found.append(match[0])
        last_end = match.end()
    return found if most < 0 else found[:most]


OVERLOADS = [
    Overload("parseJSON", (STRING,), DYN, parse_json),
    Overload("find", (STRING, STRING), STRING, _find),
    Overload("findAll", (STRING, STRING), list_of(STRING), _find_all),
    Overload("findAll", (STRING, STRING, INT), list_of(STRING), _find_all),
]
