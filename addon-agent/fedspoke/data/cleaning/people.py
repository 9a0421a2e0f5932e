"""How other people are reached: mail addresses and @names in a text."""

import re

from fedspoke.data.cleaning.masks import MAIL, USER, masked
from fedspoke.data.cleaning.urls import apart

# Wider than RFC 5321 where people are: letters of any alphabet. The look behind keeps it linear: one start for each run.
_MAIL = re.compile(r"(?<![\w.+%-])(?:mailto:)?[\w.+%-]+@(?:\w[\w-]*\.)+(?:xn--[\w-]+|[^\W\d_]{2,})", re.IGNORECASE)

# Facebook writes a mention as @[number:number:Full Name].
_MENTION = re.compile(r"@\[\d{1,20}:\d{0,9}:?[^\]\n]{0,200}\]")
# Not `anna@host`, `@ 5pm`, `@5pm`, `3 @ 2.50`.
_HANDLE = re.compile(
    r"(?<![A-Za-z0-9_])@(?!\d\d?(?:[:.]\d\d)?\s?(?:am|pm|h|uhr)\b)(?=[\d_.]*[A-Za-z])[\w.]*\w", re.IGNORECASE | re.ASCII
)


def mask_mail(text: str) -> str:
    """The text with `[email]` in the place of each address."""
    return masked(text, (found.span() for found in _MAIL.finditer(apart(text))), MAIL) if "@" in text else text


def mask_handles(text: str) -> str:
    """The text with `@user` in the place of each name."""
    return _HANDLE.sub(USER, _MENTION.sub(USER, text)) if "@" in text else text
