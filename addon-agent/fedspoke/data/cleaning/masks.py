"""What stands in a text for another person's address, number or name: words that a model may learn, as they are nobody's."""

import re
from collections.abc import Iterable

MAIL = "[email]"
PHONE = "[phone]"
USER = "@user"

_MASK = re.compile("|".join(map(re.escape, (MAIL, PHONE, USER))))
_HASHTAG = re.compile(r"[#＃]\w+")


def masked(text: str, spans: Iterable[tuple[int, int]], mask: str) -> str:
    """The text with `mask` in the place of each span; of spans that overlap only the first has one."""
    pieces, end = [], 0
    for start, stop in sorted(spans):
        if start >= end:
            pieces += [text[end:start], mask]
        end = max(end, stop)
    return "".join([*pieces, text[end:]])


def unmasked(text: str) -> str:
    """The text with a space for each mask: what its writer wrote."""
    return _MASK.sub(" ", text)


def untagged(text: str) -> str:
    """The text with a space for each hashtag."""
    return _HASHTAG.sub(" ", text)
