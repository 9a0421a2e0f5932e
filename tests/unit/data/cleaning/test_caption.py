import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fedspoke.data.cleaning.caption import LONGEST, caption

MARKS = ["<image>", "<pad>", "<unk>", "<s>", "</s>"]
FRAGMENTS = [
    "<",
    ">",
    "<image>",
    "im",
    "age",
    "/",
    "s",
    "</s>",
    "\0",
    "pad",
    "unk",
    " ",
    "\u200b",
    "\u200d",
    "ｉ",
    "𝐬",
    "＜",
    "\n",
    "é",
    "\u0301",
    "\ufe0f",
]


@pytest.mark.parametrize(
    ("typed", "seen"),
    [
        pytest.param("e\u0301te\u0301", "été", id="composed"),
        pytest.param("a\r\n\r\n\r\n\r\nb\rc\u2028d\x85e", "a\n\nb\nc\nd\ne", id="lines"),
        pytest.param("  a \t b\u00a0\u3000c \n \n \n d ", "a b c\n\nd", id="spaces"),
        pytest.param("a\n⠀\n⠀\nㅤ\nb", "a\n\nb", id="blanks with which posts are spaced out"),
        pytest.param("my <image> of you</s><pad>", "my of you", id="tokens of the model"),
        pytest.param("<im\u200bage> <\uff49mage> <image\u2060>", "", id="tokens in disguise"),
        pytest.param("I <3 you <b>", "I <3 you <b>", id="what only resembles a token"),
        pytest.param("a\0\x1b\ufeff\u200b\u00ad\ufffc\ufffd\ud800b", "ab", id="what nobody sees"),
        pytest.param("\u202eevil\u202c \u2066a\u2069 \u061c", "evil a", id="what turns the reading direction"),
        pytest.param("🏴\U000e0068\U000e0069\U000e007f hi\U000e0100", "🏴 hi", id="messages in tags"),
        pytest.param(
            "👨\u200d👩\u200d👧 ❤️\u200d🔥 می\u200cخواهم क्\u200dष",
            "👨\u200d👩\u200d👧 ❤️\u200d🔥 می\u200cخواهم क्\u200dष",
            id="joiners that join",
        ),
        pytest.param("a\u200db 0\u200c1 \u200d 👍\u200d", "ab 01 👍", id="joiners that hide"),
        pytest.param("𝓗𝓮𝓵𝓵𝓸 𝟭𝟮 Ｗｏｗ Ⓑⓞⓧ ＠ann 1️⃣", "Hello 12 Wow Box @ann 1", id="letters in disguise"),
        pytest.param("１２，３！ ㊗️ ㅋㅋㅋ ½ m² …", "12，3！ ㊗️ ㅋㅋㅋ ½ m² …", id="letters of their own"),
    ],
)
def test_a_text_is_what_its_reader_sees(typed: str, seen: str) -> None:
    assert caption(typed) == seen


@given(st.lists(st.sampled_from(FRAGMENTS)).map("".join))
def test_no_text_can_ask_the_model_for_a_picture_or_end_its_answer(typed: str) -> None:
    assert not any(mark in caption(typed) for mark in MARKS)


@given(st.text() | st.lists(st.sampled_from(FRAGMENTS)).map("".join))
@example("\u212b\u200d\u0928")
@example("a\u200d\u200d\u200db")
def test_a_caption_stays_as_it_is(typed: str) -> None:
    once = caption(typed)

    assert caption(once) == once
    assert unicodedata.is_normalized("NFC", once)
    once.encode()


@given(st.integers(LONGEST - 3, LONGEST + 3), st.sampled_from(["a ", "é\u200d", "<s>", "\ufb2c", "👍\u200d"]))
def test_a_text_longer_than_the_model_reads_is_cut(length: int, piece: str) -> None:
    cut = caption(piece * length)

    assert len(cut) <= LONGEST
    assert caption(cut) == cut
