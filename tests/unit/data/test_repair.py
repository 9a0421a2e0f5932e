import json

from hypothesis import given
from hypothesis import strategies as st

from fedspoke.data.exports.repair import demojibake, repaired
from support import exports as build

typed = st.text(st.characters(exclude_categories=["Cs"]))


@given(typed)
def test_a_mangled_text_is_as_it_was_typed(text: str) -> None:
    assert demojibake(build.mangled(text)) == text


@given(st.text(st.characters(max_codepoint=0x7F) | st.characters(min_codepoint=0xC0, max_codepoint=0xFF)))
def test_right_text_of_latin_letters_stays_as_it_is(text: str) -> None:
    assert demojibake(text) == text


@given(typed, st.characters(min_codepoint=0x100, exclude_categories=["Cs"]), typed)
def test_text_that_holds_any_other_character_was_never_mangled(before: str, other: str, after: str) -> None:
    assert demojibake(before + other + after) == before + other + after


def test_half_a_character_becomes_one_that_a_file_can_hold() -> None:
    assert demojibake(json.loads('"a \\ud83d b"')) == "a \ufffd b"


def test_keys_and_texts_at_any_depth_are_repaired() -> None:
    text = build.mangled("Größe")

    assert repaired({text: [1, {"deep": [text, None]}]}) == {"Größe": [1, {"deep": ["Größe", None]}]}
