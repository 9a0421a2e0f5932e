r"""A text as training sees it: characters that a reader sees, once each, and none that speak to the model.

It comes before every rule, so that nothing hides from them: `@an\u200bna`, `０１７１…` and `𝗵𝗲𝗹𝗹𝗼` are what they look like.
"""

import re
import unicodedata

LONGEST = 10_000
"""Characters; more than the model's context (2048 tokens) holds, and what bounds the time of every rule."""

# Tokens of LLaVA's vocabulary: as plain words in a caption they would ask for a picture, or end the answer.
_MARKS = re.compile(r"<(?:image|pad|unk|/?s)>")

_BREAKS = re.compile("\r\n?|[\v\f\x85\u2028\u2029]")
# Control, format and private characters, lone surrogates, placeholders; tags and most variation selectors, in which whole
# messages can hide. What joins emoji and the letters of some scripts (ZWJ, ZWNJ) is looked at below.
_UNSEEN = re.compile(
    "[\0-\x08\x0e-\x1f\x7f-\x9f\xad\u034f\u061c\u180b-\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ud800-\uf8ff\ufe00-\ufe0d\ufeff"
    "\ufff0-\uffff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U0010ffff]"
)
_BLANKS = re.compile("[\u115f\u1160\u2800\u3164\uffa0]")  # letters and signs without ink, with which posts are spaced out
_KEYCAP = re.compile("([0-9])\ufe0f?\u20e3")
_JOINERS = re.compile("[\u200c\u200d]+")
_STYLES = ("<font>", "<wide>", "<circle>")


def caption(text: str) -> str:
    """Composed and in plain letters; nothing unseen, no tokens of the model, one space and at most one empty line in a row."""
    text = _BREAKS.sub("\n", text[: 4 * LONGEST])
    if not text.isascii():
        text = _KEYCAP.sub(r"\1", _BLANKS.sub(" ", _UNSEEN.sub("", text)))
        text = unicodedata.normalize("NFC", text.translate(_PLAIN))
        text = unicodedata.normalize("NFC", _JOINERS.sub(_joiner, text))
    else:
        text = _UNSEEN.sub("", text)
    text = _MARKS.sub(" ", text)  # a space, since removal alone would join what is around it to another mark
    text = re.sub(r"[^\S\n]+", " ", text)
    text = re.sub(r" ?\n ?", "\n", text)
    return re.sub(r"\n{3,}", "\n\n", text)[:LONGEST].strip(" \n\u200c\u200d")  # no joiner joins the end


def _joiner(found: re.Match[str]) -> str:
    """One joiner stays, where it can mean something: inside emoji, and between letters of scripts that join."""
    around = found.string[max(found.start() - 1, 0) : found.start()] + found.string[found.end() : found.end() + 1]
    joins = len(around) == 2 and all(character > "\u036f" and not character.isdigit() for character in around)
    return found.group()[0] if joins and not any(character.isspace() for character in around) else ""


def _plain() -> dict[int, str]:
    """Letters and digits that exist a second time in bold, in italics, wide or in a circle, and the wide + and @."""
    plain = {}
    for code in (*range(0x2100, 0x2150), *range(0x2460, 0x2500), *range(0xFF01, 0xFF5F), *range(0x1D400, 0x1D800)):
        style, _, letters = unicodedata.decomposition(chr(code)).partition(" ")
        if (
            style in _STYLES
            and len(letters) == 4
            and (letter := chr(int(letters, 16))).isascii()
            and (letter.isalnum() or letter in "+@")
        ):
            plain[code] = letter
    return plain


_PLAIN = _plain()
