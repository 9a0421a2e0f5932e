"""Web addresses in prose, found as chats and forums find them: with a scheme, with `www.`, or as `host.tld/path`.

A bare `host.tld` is one only under a generic domain: `later.So we went`, a space forgotten, would be one in Somalia otherwise.
"""

import re
from collections.abc import Iterator

from linkify_it import LinkifyIt  # type: ignore[import-untyped]  # it ships no types

from fedspoke.data.cleaning.masks import masked

_linkify = LinkifyIt(schemas={"mailto:": None}, options={"fuzzy_email": False})
_SCHEME = re.compile("(?:https?|ftp):", re.IGNORECASE)
_HINT = re.compile(r"//|\w\.\w")
_PLAIN_HOST = re.compile(r"(?!www\.)[^/?#]*\.\w\w", re.IGNORECASE)

SPACELESS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff"
"""Scripts that put no space between words, or none before what belongs to one, as a class of `re` has them."""

# Symbols, and letters without spaces. Linkify takes them for a part of the address that they touch.
_APART = re.compile(rf"[^\x00-\x7f\w]|[{SPACELESS}]")


def remove_urls(text: str) -> str:
    """The text with a space in the place of each address."""
    if not _HINT.search(text):  # what most texts lack, and what linkify takes longer to miss
        return text
    return masked(text, _spans(apart(text)), " ")


def apart(text: str) -> str:
    """As many characters, a wide space for each that ends an address on both its sides, whether or not a space is there."""
    return text if text.isascii() else _APART.sub("\u3000", text)


def _spans(text: str) -> Iterator[tuple[int, int]]:
    for scheme in _SCHEME.finditer(text):  # also behind a word: "Videohttps://…"
        if length := _linkify.test_schema_at(text, scheme.group().lower(), scheme.end()):
            yield scheme.start(), scheme.end() + length
    for found in _linkify.match(text) or ():
        if found.schema or not _PLAIN_HOST.fullmatch(found.raw):
            yield found.index, found.last_index
