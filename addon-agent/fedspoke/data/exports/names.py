"""Names inside an export: what they may be, which pattern they fit, and in which order they are read."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Literal

MOST = 10_000
"""Files of posts in one export: one for each album, and few others."""


def inside(uri: str) -> tuple[str, ...] | None:
    r"""The folders and the file that a uri leads through, from the export's root down; None when it leads out of it.

    It is someone else's text. Zips of old Windows tools have `\` between folders, so it counts as `/` wherever it stands.
    """
    parts = tuple(part for part in uri.replace("\\", "/").split("/") if part not in ("", "."))
    if uri.startswith(("/", "\\")) or ".." in parts or re.match(r"[A-Za-z]:", uri):
        return None
    return parts


def spellings(parts: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """A name, then how else a Mac (accents apart from their letters) or an old tool (endings in another case) may write it."""
    seen: set[tuple[str, ...]] = set()
    forms: tuple[Literal["NFC", "NFD"] | None, ...] = (None, "NFC", "NFD")
    for form in forms:
        *folders, last = (unicodedata.normalize(form, part) for part in parts) if form else parts
        stem, dot, ending = last.rpartition(".")
        for name in (last, stem + dot + ending.lower(), stem + dot + ending.upper()):
            if (spelled := (*folders, name)) not in seen:
                seen.add(spelled)
                yield spelled


def possible(parts: tuple[str, ...]) -> bool:
    """Whether a file can have this name at all."""
    try:
        return bool(parts) and all(len(part.encode(errors="surrogateescape")) < 256 and "\0" not in part for part in parts)
    except UnicodeEncodeError:
        return False


def arranged(names: Iterable[str], patterns: Iterable[str]) -> list[str]:
    """Names that fit, in the order of the patterns; under each, `posts_2` before `posts_10`."""
    ordered = sorted(names, key=natural)
    return list(dict.fromkeys(name for pattern in patterns for name in filter(matcher([pattern]).fullmatch, ordered)))


def matcher(patterns: Iterable[str]) -> re.Pattern[str]:
    """What names that fit one of the patterns look like: `*` is anything but `/`, and no hidden file."""
    fitting = (re.escape(pattern).replace(r"/\*", r"/(?!\.)[^/]*").replace(r"\*", "[^/]*") for pattern in patterns)
    return re.compile("|".join(fitting) or r"(?!)")


def natural(name: str) -> tuple[list[tuple[str, int, str]], str]:
    """The key by which `posts_2` comes before `posts_10`; a number may be as long as it likes."""
    pieces = re.findall(r"([^0-9]*)0*([0-9]*)", name)
    return [(text, len(digits), digits) for text, digits in pieces], name
