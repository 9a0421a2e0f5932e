"""Kubernetes' label selectors: which are valid, and whether labels, or claims, meet one. NotIn and DoesNotExist hold where
there is no such label.

Source: k8s.io/apimachinery, labels and LabelSelectorAsSelector, whose words the errors have.
"""

import json
from collections.abc import Iterator, Mapping

from fedspoke.api.placement_spec import LabelSelector, Requirement
from fedspoke.placement import naming


class Invalid(Exception):
    """A selector that Kubernetes would not take; the text is Kubernetes' own, and `right` what to write instead."""

    def __init__(self, message: str, right: str = "") -> None:
        super().__init__(message)
        self.right = right


def requirements(selector: LabelSelector) -> tuple[Requirement, ...]:
    """All that a selector requires; matchLabels are requirements with one value.

    Raises:
        Invalid: one of them is not valid.
    """
    exact = tuple(Requirement(key=key, operator="In", values=[value]) for key, value in selector.match_labels.items())
    found = (*exact, *selector.match_expressions)
    for requirement in found:
        _check(requirement)
    return found


def holds(requirement: Requirement, values: Mapping[str, str]) -> bool:
    """Whether labels, or claims, meet a valid requirement."""
    value = values.get(requirement.key)
    match requirement.operator:
        case "In":
            return value in requirement.values
        case "NotIn":
            return value not in requirement.values
        case "Exists":
            return value is not None
        case _:
            return value is None


def _check(requirement: Requirement) -> None:
    if requirement.operator not in ("In", "NotIn", "Exists", "DoesNotExist"):
        known = "write In, NotIn, Exists or DoesNotExist"
        raise Invalid(f"{json.dumps(requirement.operator)} is not a valid label selector operator", known)
    complaints = list(dict.fromkeys(_complaints(requirement)))
    if complaints:
        raise Invalid(complaints[0] if len(complaints) == 1 else f"[{', '.join(complaints)}]")


def _complaints(requirement: Requirement) -> Iterator[str]:
    key, values = requirement.key, requirement.values
    if wrong := naming.qualified_name(key):
        yield f"key: Invalid value: {_quoted(key)}: {'; '.join(wrong)}"
    if requirement.operator in ("In", "NotIn") and not values:
        yield "values: Invalid value: null: for 'in', 'notin' operators, values set can't be empty"
    if requirement.operator in ("Exists", "DoesNotExist") and values:
        yield f"values: Invalid value: {_quoted(values)}: values set must be empty for exists and does not exist"
    for index, value in enumerate(values):
        if wrong := naming.label_value(value):
            yield f"values[{index}][{key}]: Invalid value: {_quoted(value)}: {'; '.join(wrong)}"


def _quoted(value: str | list[str]) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text if isinstance(value, str) else text.translate({ord(it): f"\\u{ord(it):04x}" for it in "<>&"})  # as Go's JSON
