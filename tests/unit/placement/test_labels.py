import pytest

from fedspoke.api.federated_learning import Object
from fedspoke.api.placement_spec import LabelSelector
from fedspoke.placement import labels
from support import build

VALUE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with "
    "an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
NAME = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. "
    "'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
DOMAIN = (
    "prefix part a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)


def expressions(*requirements: Object) -> LabelSelector:
    return LabelSelector.model_validate({"matchExpressions": list(requirements)})


@pytest.mark.parametrize(
    ("selector", "said"),
    [
        (
            expressions(build.has("a", "In")),
            "values: Invalid value: null: for 'in', 'notin' operators, values set can't be empty",
        ),
        (
            expressions(build.has("a", "Exists", "x", "<")),
            '[values: Invalid value: ["x","\\u003c"]: values set must be empty for exists and does not exist, '
            f'values[1][a]: Invalid value: "<": {VALUE}]',
        ),
        (expressions(build.has("a", "Gt", "1")), '"Gt" is not a valid label selector operator'),
        (expressions(build.has("a", "In", "b c")), f'values[0][a]: Invalid value: "b c": {VALUE}'),
        (
            expressions(build.has("a", "In", "b" * 64)),
            f'values[0][a]: Invalid value: "{"b" * 64}": must be no more than 63 characters',
        ),
        (expressions(build.has("")), f'key: Invalid value: "": name part must be non-empty; name part {NAME}'),
        (expressions(build.has("A.b/c")), f'key: Invalid value: "A.b/c": {DOMAIN}'),
        (expressions(build.has("/c")), 'key: Invalid value: "/c": prefix part must be non-empty'),
        (
            expressions(build.has("a/b/c")),
            f"key: Invalid value: \"a/b/c\": a qualified name {NAME} with an optional DNS subdomain prefix and '/' "
            "(e.g. 'example.com/MyName')",
        ),
        (LabelSelector(match_labels={"a": "-"}), f'values[0][a]: Invalid value: "-": {VALUE}'),
        (
            expressions(build.has("a", "In"), build.has("b", "In")),
            "values: Invalid value: null: for 'in', 'notin' operators, values set can't be empty",
        ),
    ],
)
def test_a_selector_that_kubernetes_does_not_take_is_invalid_in_its_words(selector: LabelSelector, said: str) -> None:
    with pytest.raises(labels.Invalid) as found:
        labels.requirements(selector)

    assert str(found.value) == said


@pytest.mark.parametrize("key", ["a", "A_b.c-d", "example.org/a", "a" * 63, f"{'a.' * 126}a/b"])
def test_a_key_may_have_a_domain(key: str) -> None:
    assert labels.requirements(expressions(build.has(key, "In", "", "a" * 63)))


def test_match_labels_are_requirements_with_one_value() -> None:
    [required] = labels.requirements(LabelSelector(match_labels={"a": "1"}))

    assert labels.holds(required, {"a": "1"})
    assert not labels.holds(required, {"a": "2"})
    assert not labels.holds(required, {})
