"""A text as training sees it."""

import re
import unicodedata

# Tokens of LLaVA's vocabulary: as plain words in a caption they would ask for a picture, or end the answer.
_MARKS = re.compile(r"<(?:image|pad|unk|/?s)>")


def caption(text: str) -> str:
    """Composed characters, no control characters, no tokens of the model, one space and at most one empty line in a row."""
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n"))
    text = "".join(character for character in text if character in "\n\t" or unicodedata.category(character) != "Cc")
    text = _MARKS.sub(" ", text)  # a space, since removal alone would join what is around it to another mark
    text = re.sub(r"[^\S\n]+", " ", text)
    return re.sub(r"\n{3,}", "\n\n", text).strip()
