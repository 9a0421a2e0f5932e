r"""Texts as their writer typed them.

Both platforms write each UTF-8 byte of a text as a character of its own: `é` arrives as `\u00c3\u00a9`. The repair has to
come after json.loads: before it, escapes and plain characters cannot be told apart.
"""

from typing import Any


def demojibake(text: str) -> str:
    """Undo the mangling; text that was never mangled stays as it is, since its Latin-1 bytes are (almost) never valid UTF-8.

    A lone surrogate, which no file could hold, becomes U+FFFD.
    """
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def repaired(document: Any) -> Any:
    """A JSON document with every string repaired, keys included."""
    if isinstance(document, str):
        return demojibake(document)
    if isinstance(document, list):
        return [repaired(item) for item in document]
    if isinstance(document, dict):
        return {demojibake(key): repaired(value) for key, value in document.items()}
    return document
