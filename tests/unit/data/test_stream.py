import io
import json
import math
from itertools import accumulate
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fedspoke.data.exports.stream import UnreadableError, entries
from support.loose_json import anything


def read(content: bytes, *places: str) -> tuple[list[Any], str | None]:
    """What was listed, and why there is no more."""
    found = []
    try:
        for _, entry in entries(io.BytesIO(content), places or ("item",)):
            found.append(entry)
    except UnreadableError as error:
        return found, str(error)
    return found, None


def finite(value: Any) -> Any:
    """The value as yajl would give it back: without what JSON has no word for, and no half characters."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, int) and abs(value) >= 2**63:
        return 0
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    if isinstance(value, list):
        return [finite(item) for item in value]
    if isinstance(value, dict):
        return {finite(key): finite(item) for key, item in value.items()}
    return value


@given(st.lists(anything.map(finite)), st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"]))
def test_a_list_is_read_as_json_reads_it_in_any_encoding(document: list[Any], encoding: str) -> None:
    content = json.dumps(document, ensure_ascii=False).encode(encoding)

    assert read(content) == (document, None)


@given(st.lists(anything.map(finite), min_size=1), st.data())
def test_what_is_complete_before_a_file_is_cut_off_is_kept(document: list[Any], data: st.DataObject) -> None:
    listed = [json.dumps(entry) for entry in document]
    content = f"[{','.join(listed)}]"
    cut = data.draw(st.integers(0, len(content) - 1))
    behind = accumulate((len(entry) + 1 for entry in listed), initial=1)  # where each entry begins

    found, problem = read(content[:cut].encode())

    assert problem is not None
    assert found == document[: len(found)]
    assert len(found) >= sum(start <= cut for start in behind) - 1


@given(st.binary())
@example(b"[" + b"1" * 5000 + b"]")
@example(b'["\\ud83d"]')
@example(b"[1]\0\0")
def test_any_bytes_are_read_or_say_why_not(content: bytes) -> None:
    read(content, "item", "photos.item", "a.b.item")


def test_lists_are_found_by_the_keys_that_lead_to_them() -> None:
    album = {"name": "Trip", "photos": [{"photos": [0]}, 2], "other": {"photos": [3]}, "videos": [[4]], "cover": {"a": []}}

    found = list(entries(io.BytesIO(json.dumps(album).encode()), ("photos.item", "videos.item", "notes.item")))

    assert found == [("photos.item", {"photos": [0]}), ("photos.item", 2), ("videos.item", [4])]


def test_of_a_key_that_comes_twice_the_last_counts() -> None:
    assert read(b'[{"post": "one", "post": "two"}]') == ([{"post": "two"}], None)


def test_of_a_list_that_comes_twice_every_entry_counts() -> None:
    assert read(b'{"photos": [1], "photos": [2]}', "photos.item") == ([1, 2], None)


@pytest.mark.parametrize("content", [b"[]", b" \n[ ] \n", b'\xef\xbb\xbf{"photos": []}'])
def test_an_empty_list_is_no_problem(content: bytes) -> None:
    assert read(content, "item", "photos.item") == ([], None)


@pytest.mark.parametrize("content", [b"{}", b'{"photos": {}}', b'{"other": [1]}', b"1", b'"item"', b"null"])
def test_a_document_that_lists_nothing_where_it_should_is_told(content: bytes) -> None:
    assert read(content, "item", "photos.item") == ([], "it lists nothing where this file should")


@pytest.mark.parametrize(
    "rest", [b", NaN]", b", Infinity]", b", 1e999]", b", " + b"9" * 5000 + b"]", b", {]", b"] []", b",]", b"]\0"]
)
def test_what_comes_before_something_that_is_no_json_is_kept(rest: bytes) -> None:
    assert read(b'[{"post": "kept"}' + rest) == ([{"post": "kept"}], "it is no JSON")


@given(st.lists(st.text(st.characters())))
def test_half_characters_never_stop_more_than_their_file(texts: list[str]) -> None:
    found, problem = read(json.dumps(texts).encode())

    assert problem in {None, "it is no JSON"}
    assert len(found) == len(texts) or problem


@pytest.mark.parametrize(("text", "found"), [(r"cut \ud83d", ["kept", "cut ?", "more"]), (r"\ude00 cut", ["kept"])])
def test_the_first_half_of_a_character_is_a_question_mark_and_the_second_alone_ends_the_file(text: str, found: list[str]) -> None:
    assert read(f'["kept", "{text}", "more"]'.encode())[0] == found


def test_bytes_that_are_no_text_cost_their_characters_only() -> None:
    assert read('["Grüße"]'.encode("latin-1")) == (["Gr\ufffd\ufffde"], None)


def test_a_character_may_lie_across_two_chunks() -> None:
    text = "é" * 70_000

    assert read(b'["' + text.encode() + b'"]') == ([text], None)


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param(b"[" * 100_000, id="deep list"),
        pytest.param(b'{"a":' * 100_000, id="deep object"),
        pytest.param(b'"' + b"x" * (5 << 20), id="long text"),
        pytest.param(b"[" + b"1," * (5 << 19), id="long list"),
        pytest.param(b'{"' + b"k" * (5 << 20), id="long key"),
        pytest.param(b"1" * (5 << 20), id="long number"),
        pytest.param(b" " * (5 << 20), id="long silence"),
    ],
)
def test_an_entry_larger_than_any_of_a_platform_ends_the_file_but_not_what_came_before(entry: bytes) -> None:
    found, problem = read(b'["kept", ' + entry)

    assert found == ["kept"]
    assert problem is not None
    assert "any" in problem


def test_what_is_not_asked_for_may_be_as_large_as_it_likes() -> None:
    content = b'{"other": [' + b'"x",' * (2 << 20) + b'0], "photos": [1]}'

    assert read(content, "photos.item") == ([1], None)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"title": "once", "media": [{"uri": "1.jpg"}]}, [{"title": "once", "media": [{"uri": "1.jpg"}]}]),
        ([{"media": []}, {"media": [1]}], [{"media": []}, {"media": [1]}]),
        ([], []),
    ],
)
def test_who_posted_once_has_an_object_where_others_have_a_list(document: Any, expected: list[Any]) -> None:
    assert read(json.dumps(document).encode(), "item", "?media") == (expected, None)


def test_an_object_without_the_key_of_an_entry_is_none() -> None:
    assert read(b'{"other": {"media": []}}', "item", "?media") == ([], "it lists nothing where this file should")


def test_a_key_of_no_platforms_length_ends_the_file_before_it_is_carried_along_with_a_million_values() -> None:
    document = b'{"' + b"k" * 1001 + b'": [1], "item": []}'
    with pytest.raises(UnreadableError, match="a key is longer"):
        list(entries(io.BytesIO(document), ["photos.item"]))
