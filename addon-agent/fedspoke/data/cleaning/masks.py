"""What stands in a text for another person's address, number or name: words that a model may learn, as they are nobody's."""

import re

MAIL = "[email]"
PHONE = "[phone]"
USER = "@user"

_MASK = re.compile("|".join(map(re.escape, (MAIL, PHONE, USER))))
_HASHTAG = re.compile(r"[#＃]\w+")


def unmasked(text: str) -> str:
    """The text with a space for each mask: what its writer wrote."""
    return _MASK.sub(" ", text)


def untagged(text: str) -> str:
    """The text with a space for each hashtag."""
    return _HASHTAG.sub(" ", text)
