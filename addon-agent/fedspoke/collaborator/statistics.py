"""What a cluster has to train on, in numbers: nothing of a post's text, and no file's name."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from statistics import median

from pydantic import Field

from fedspoke.api.names import Platform
from fedspoke.api.records import Record
from fedspoke.collaborator.profiles import span
from fedspoke.data.records import CleanRecord


class PlatformRecords(Record):
    """One platform's records."""

    records: int
    with_photo: int = Field(description="How many of them have a photo.")
    photos: int
    characters: int = Field(description="Of a text, in the median.")
    longest: int = Field(description="Characters of the longest text.")
    languages: dict[str, int] = Field(description="Records by language, where it is known.")
    first: date | None
    last: date | None
    set_aside: dict[str, int] = Field({}, description="How many more there are that are set aside, by reason.")


def statistics(
    posts: Mapping[Platform, Sequence[CleanRecord]], aside: Callable[[Platform], dict[str, int]] = lambda _: {}
) -> dict[Platform, PlatformRecords]:
    """Of each platform that has any; and how many more are set aside."""
    return {platform: _of(records, aside(platform)) for platform, records in posts.items() if records}


def _of(records: Sequence[CleanRecord], aside: dict[str, int]) -> PlatformRecords:
    lengths = [len(record.text) for record in records]
    first, last = span(record.timestamp for record in records)
    return PlatformRecords(
        records=len(records),
        with_photo=sum(record.image is not None for record in records),
        photos=sum(len(record.images) or int(record.image is not None) for record in records),
        characters=round(median(lengths)),
        longest=max(lengths),
        languages=dict(sorted(Counter(record.language for record in records if record.language).items())),
        first=first and first.date(),
        last=last and last.date(),
        set_aside=aside,
    )
