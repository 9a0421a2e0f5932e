from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fedspoke.api import documents
from fedspoke.api.errors import Refused

HEAD = "apiVersion: v1\nkind: ConfigMap\n"
TEXTS = st.text(st.characters(exclude_categories=["C", "Z"]) | st.sampled_from(" \n\t"), max_size=8)  # PyYAML folds U+0085
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3))


def loaded(text: str) -> Any:
    (found,) = documents.load(HEAD + f"data: {text}", "x.yaml")
    return found["data"]


@given(VALUES)
@example("2e-4")
@example("2026-11-21")
@example("yes")
@example("0x1f")
def test_an_object_survives_being_written_and_read(value: Any) -> None:
    written = {"apiVersion": "v1", "kind": "ConfigMap", "data": value}

    assert documents.load(documents.dump(written, written), "x.yaml") == [written, written]


@pytest.mark.parametrize(
    ("text", "value"),
    [("2e-4", 2e-4), ("1E3", 1000.0), ("-1e+2", -100.0), ("1.5", 1.5), ("2026-11-21", "2026-11-21"), ("1", 1), ('"1"', "1")],
)
def test_scalars_are_what_kubectl_takes_them_for(text: str, value: Any) -> None:
    assert loaded(text) == value
    assert type(loaded(text)) is type(value)


def test_json_is_yaml_and_an_empty_document_is_none() -> None:
    assert documents.load('{"apiVersion": "v1", "kind": "Pod"}\n---\n---\n', "x") == [{"apiVersion": "v1", "kind": "Pod"}]


def test_what_is_merged_in_may_be_overridden() -> None:
    found = documents.load(HEAD + "base: &base {a: 1, b: 2}\ndata: {<<: *base, a: 3}\n", "x.yaml")

    assert found[0]["data"] == {"a": 3, "b": 2}


def test_a_list_is_what_is_in_it() -> None:
    item = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "b"}}
    a_list = {"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": [item, item]}

    assert documents.load(documents.dump(a_list, item), "x.yaml") == [item, item, item]


def test_only_the_list_of_kubectl_is_one() -> None:
    of_another_group = {"apiVersion": "example.org/v1", "kind": "List", "items": []}

    assert documents.load(documents.dump(of_another_group), "x.yaml") == [of_another_group]


@pytest.mark.parametrize("repeat", ["[{}]", "{{<<: [{}]}}"], ids=["lists", "merged maps"])
def test_aliases_that_make_a_small_file_huge_are_refused_before_it_is(repeat: str) -> None:
    lines = ["l0: &l0 {a: b, c: d}"]
    for level in range(1, 12):
        some = ", ".join([f"*l{level - 1}"] * 9)
        lines.append(f"l{level}: &l{level} {repeat.format(some)}")

    with pytest.raises(Refused, match="its aliases repeat more than 1,000,000 characters"):
        documents.load(HEAD + "\n".join(lines), "x.yaml")


def test_a_large_document_without_aliases_is_read() -> None:
    assert len(loaded(f"[{('x' * 1000 + ', ') * 2000}]")) == 2000


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEAD + "data: {a: 1, a: 2}", "x.yaml is not YAML in line 3: a is given twice"),
        (HEAD + "a: &a x\nb: &b [*a]\nc: &c [*b, *c]", "x.yaml is not YAML in line 1: its aliases repeat more than"),
        (HEAD + "data: " + "[" * 2000 + "]" * 2000, "x.yaml is nested more deeply than any Kubernetes object"),
        ("apiVersion: v1\nkind: List\nitems: [1]", "x.yaml holds a document that is no Kubernetes object"),
        (HEAD + "data: !!python/object:os.system {}", "x.yaml is not YAML in line 3: could not determine a constructor"),
        ("a: b: c", "x.yaml is not YAML in line 1: mapping values are not allowed"),
        ("\x00", "x.yaml is not YAML"),
        ("- 1", "x.yaml holds a document that is no Kubernetes object: it needs apiVersion and kind"),
        ("apiVersion: v1\nkind: 7", "x.yaml holds a document that is no Kubernetes object"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(text: str, said: str) -> None:
    with pytest.raises(Refused) as refused:
        documents.load(text, "x.yaml")

    assert str(refused.value).startswith(said)
    assert "\n" not in str(refused.value)


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "windows.yaml"
    path.write_text(HEAD, encoding="utf-8-sig")

    assert documents.read(path) == [{"apiVersion": "v1", "kind": "ConfigMap"}]
