"""Phone numbers in prose, told from the dates, prices, years and order numbers around them.

A number in international form is one wherever it stands. Without a country code a number must be valid in one of the regions
below, and look like one: it starts with the trunk prefix 0 or a bracket, is grouped exactly as that region writes it, or
stands behind a word as `call`. So some are missed that only their writer could tell; `2019`, `10 000 000` and `ISBN 978-…` stay.
"""

import re
from collections.abc import Iterator

from phonenumbers import Leniency, PhoneNumberMatch, PhoneNumberMatcher

from fedspoke.data.cleaning.masks import PHONE, masked

_REGIONS = (
    *("US", "IN", "ID", "BR", "MX", "PH", "VN", "TH", "BD", "PK", "GB", "TR", "EG", "FR", "IT", "DE", "CO", "NG", "ES", "AR"),
    *("PL", "NL", "JP", "KR", "AU", "ZA", "SE", "UA", "CN"),
)
"""Where most of the platforms' posts are written; many of their plans cover their neighbours' numbers, too."""

_SHORTEST = 9  # digits; shorter national numbers exist, and more shorter numbers that are none
_GAP = r"[^\w\n,;|]{0,4}"
_CANDIDATE = re.compile(rf"(?:\(?\+\(?|(?<![A-Za-z\d_#])\(?)\d(?:{_GAP}\d){{6,}}")
_NO_PHONE = re.compile(
    r"(?<![\d.])(?:\d{1,2}[.:]\d\d(?!\.?\d)"  # a time
    r"|\d{1,2}\.\d{1,2}\.(?:\d\d)?\d\d(?!\.?\d)"  # a date
    r"|[12]\d{3}-[01]\d-[0-3]\d(?!\d)"
    r"|\A\d{5}-\d{4}\Z"  # a ZIP code
    r"|\d{1,3}\.\d{5,}(?!\.?\d))"  # a fraction, as of coordinates
)
_CALL = re.compile(
    r"(?:\b(?:tel|telp|t[eé]l|tele[fp]h?on\w*|t[eé]l[eé]fono|phone|fone|fono|call|text|sms|mob|mobile?|cell?|celular|m[oó]vil|"
    r"handy|handynummer|whats ?app|wa|hp|viber|telegram|ruf\w*|anruf\w*|appel\w*|ll[aá]m\w+|lig[au]\w*|chiam\w+|hubungi|"
    r"тел\w*|звон\w*)\b|[☎📞📱📲]|wechat|微信|[电電][话話]|手[机機]|携帯)[^\d\n]{0,16}$",
    re.IGNORECASE,
)
_REFERENCE = re.compile(
    r"(?:\b(?:no|nr|order|bestell\w*|invoice|rechnung\w*|tracking|ref\w*|isbn|iban|iva|siret|cnpj|account|konto|pedido|commande|room|zimmer|km)|[#№])[\s.:#°-]*$",
    re.IGNORECASE,
)


def mask_phones(text: str) -> str:
    """The text with `[phone]` in the place of each number."""
    spans = {span for candidate in _CANDIDATE.finditer(text) for span in _numbers(text, candidate)}
    return masked(text, spans, PHONE)


def _numbers(text: str, candidate: re.Match[str]) -> Iterator[tuple[int, int]]:
    before = text[max(candidate.start() - 32, 0) : candidate.start()]
    called = _CALL.search(before) is not None
    reference = not called and _REFERENCE.search(before) is not None
    digits = _NO_PHONE.sub(lambda found: "a" * len(found.group()), candidate.group())
    for region in (None, *_REGIONS):
        for found in PhoneNumberMatcher(digits, region, leniency=Leniency.VALID):
            if _international(found) or called or (not reference and _looks_national(found, region)):
                raw = found.raw_string
                yield candidate.start() + found.end - len(raw.lstrip()), candidate.start() + found.end


def _international(found: PhoneNumberMatch) -> bool:
    return found.raw_string.lstrip("( ").startswith(("+", "00"))


def _looks_national(found: PhoneNumberMatch, region: str | None) -> bool:
    raw = found.raw_string.strip()
    if sum(character.isdigit() for character in raw) < _SHORTEST:
        return False
    if raw.startswith("(") or int(next(filter(str.isdigit, raw))) == 0:
        return True
    return not raw.isdigit() and any(PhoneNumberMatcher(raw, region, leniency=Leniency.EXACT_GROUPING))
