"""What CEL reads out of a text: JSON by OCM's own library, parts that match by Kubernetes' regex library.

Source: open-cluster-management.io/sdk-go, pkg/cel/library/json.go; k8s.io/apiserver, pkg/cel/library/regex.go.
"""

import json
import re
from functools import cache
from typing import Any

from fedspoke.placement.cel_functions.opaque import DYN, INT, STRING, Overload, list_of

_BEYOND = re.compile(r"\\[QEpPCzZ1-9]|\[\[:|\(\?(?!:|P<|i\)|s\)|is\)|si\))|(?<!^)\(\?[is]+\)|[*+?}]\+")
"""What is something else, or nothing, in Python's regular expressions than in RE2's."""


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


@cache
def pattern(text: str) -> re.Pattern[str]:
    """A regular expression of RE2.

    Raises:
        ValueError: it is none, or Python's library would not read it as RE2 does.
    """
    if _BEYOND.search(text):
        raise ValueError(f"the regular expression {text}, which is more than groups, classes and repetitions,")
    try:
        # RE2's $ is the end of the text, Python's also the newline before it; RE2's \d, \s and \w are ASCII.
        return re.compile(re.sub(r"(\\.|\[\^?\]?(?:\\.|[^\]])*\])|\$", lambda it: it[1] or r"\Z", text), re.ASCII)
    except re.error as error:
        raise ValueError(f"Illegal regex: {error}") from None


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
