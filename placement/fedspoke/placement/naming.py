"""What Kubernetes takes as the key and the value of a label, and its own words for what is wrong with one.

Source: k8s.io/apimachinery, util/validation. The words are part of a condition that OCM reports, so they are kept to the letter.
Lengths are in bytes.
"""

import re

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_LABEL_VALUE = f"({_QUALIFIED})?"
_ENDS = "must start and end with an alphanumeric character"


def _dns1123_subdomain(name: str) -> list[str]:
    """Of the prefixes of label keys."""
    rule = f"a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and {_ENDS}"
    return [*_too_long(name, 253), *_unless(_SUBDOMAIN, name, rule, "example.com")]


def qualified_name(name: str) -> list[str]:
    """Of the keys of labels: a name, perhaps after a domain and a slash."""
    rule = f"must consist of alphanumeric characters, '-', '_' or '.', and {_ENDS}"
    examples = ("MyName", "my.name", "123-abc")
    *prefixes, last = name.split("/")
    if len(prefixes) > 1:
        form = _wrong(rule, _QUALIFIED, *examples)
        return [f"a qualified name {form} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"]
    empty = ["must be non-empty"]
    in_prefix = [complaint for prefix in prefixes for complaint in (_dns1123_subdomain(prefix) if prefix else empty)]
    in_name = [*(_too_long(last, 63) if last else empty), *_unless(_QUALIFIED, last, rule, *examples)]
    return [*(f"prefix part {complaint}" for complaint in in_prefix), *(f"name part {complaint}" for complaint in in_name)]


def label_value(value: str) -> list[str]:
    """Of the values of labels."""
    rule = f"a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and {_ENDS}"
    return [*_too_long(value, 63), *_unless(_LABEL_VALUE, value, rule, "MyValue", "my_value", "12345")]


def _too_long(name: str, most: int) -> list[str]:
    return [f"must be no more than {most} characters"] if len(name.encode()) > most else []


def _unless(pattern: str, name: str, rule: str, *examples: str) -> list[str]:
    return [] if re.fullmatch(pattern, name) else [_wrong(rule, pattern, *examples)]


def _wrong(rule: str, pattern: str, *examples: str) -> str:
    shown = " or ".join(f"'{example}', " for example in examples)
    return f"{rule} (e.g. {shown}regex used for validation is '{pattern}')"
