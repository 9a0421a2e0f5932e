"""Reaching into JSON of which nothing is certain: what is not of the expected type is simply not there."""

from datetime import UTC, datetime
from typing import Any

_YEAR_2100 = 4_102_444_800
_LONGEST = 63_206  # characters that Facebook takes for a post; Instagram takes 2,200


def objects(value: Any, key: str) -> list[dict[str, Any]]:
    """The objects in the list `value[key]`."""
    items = value.get(key) if isinstance(value, dict) else None
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def text(value: Any, key: str) -> str:
    """The string `value[key]` without the space around it, and without what no platform would have taken."""
    found = value.get(key) if isinstance(value, dict) else None
    return found.strip()[:_LONGEST] if isinstance(found, str) else ""


def timestamp(value: Any, key: str) -> int | None:
    """The time `value[key]`, in seconds since 1970; 0 is what the platforms write where they know none."""
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, int) and not isinstance(found, bool) and 0 < found < _YEAR_2100 else None


def date(value: Any, key: str) -> int | None:
    """The same of a date that is written out, `2018-11-05T20:19:29`; one without a zone is UTC."""
    try:
        found = datetime.fromisoformat(text(value, key))
    except ValueError:
        return None
    seconds = int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())
    return seconds if 0 < seconds < _YEAR_2100 else None
