"""How other people are reached: mail addresses and @names in a text."""

import re
import unicodedata

from fedspoke.data.cleaning.masks import MAIL, USER, masked
from fedspoke.data.cleaning.urls import SPACELESS, apart

# Wider than RFC 5321 where people are: letters of any alphabet. The look behind keeps it linear: one start for each run.
_MAIL = re.compile(r"(?<![\w.+%-])(?:mailto:)?[\w.+%-]+@(?:\w[\w-]*\.)+(?:xn--[\w-]+|[^\W\d_]{2,})", re.IGNORECASE)

# Facebook writes a mention as @[number:number:Full Name], in which some have brackets: Anna [B] Bolika.
_MENTION = re.compile(r"@\[\d{1,20}:\d{0,9}:?(?:(?:[^\[\]\n]|\[[^\[\]\n]{0,100}\]){0,200}|[^\]\n]{0,200})\]")

# What `\w` lacks: the vowels of Hindi or Thai, and accents for which there is no composed letter.
_MARKS = "".join(mark for mark in map(chr, range(0x300, 0x3100)) if unicodedata.category(mark).startswith("M"))
_LETTERS = rf"(?:(?![{SPACELESS}])[\w{_MARKS}])+"
_TIME = r"\d\d?(?:[:.]\d\d)?\s?(?:am|pm|h|uhr|ч)\b"
# With spaces between words a name ends where its script does: `@annaさん`. Without, only what is no letter ends it.
_NAME = rf"(?=[\d_.]*(?![{SPACELESS}])[^\W\d_])\.*{_LETTERS}(?:[.\-\u200c\u200d]{_LETTERS})*|(?=[{SPACELESS}])\w[\w{_MARKS}]*"
# Not `anna@host`, `niñ@s`, `@ 5pm`, `@5pm`, `3 @ 2.50`.
_HANDLE = re.compile(rf"(?:(?<!\w)|(?<=[{SPACELESS}]))@(?!{_TIME})(?:{_NAME})", re.IGNORECASE)


def mask_mail(text: str) -> str:
    """The text with `[email]` in the place of each address."""
    return masked(text, (found.span() for found in _MAIL.finditer(apart(text))), MAIL) if "@" in text else text


def mask_handles(text: str) -> str:
    """The text with `@user` in the place of each name."""
    return _HANDLE.sub(USER, _MENTION.sub(USER, text)) if "@" in text else text
