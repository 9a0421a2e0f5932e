"""What is known of each offer: its numbers, or why there are none. It is kept in a ConfigMap that the owner can read, so that an
agent that is started anew need not look again.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, Field, ValidationError

from fedspoke.agent.offers import Offer
from fedspoke.api.names import Platform
from fedspoke.api.records import Record, Sentence

MOST_POSTS = 10**7
"""What the hub believes of one cluster at the most; no platform lets an account publish more."""
_FRESH = timedelta(hours=6)
"""After which files are looked at again of which nobody says that they changed."""
_TRIED = timedelta(minutes=10)
"""The same of an offer that could not be read."""


def _day(value: str | None) -> str | None:
    if value is not None and not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        raise ValueError("must be a day like 2026-11-21")
    return value


Day = Annotated[str | None, AfterValidator(_day)]
Number = Annotated[int, Field(ge=0, le=MOST_POSTS, strict=True)]


class Counts(Record):
    """What an inspection says; of the rest that `fedspoke data inspect` prints nothing is read."""

    model_config = {"extra": "ignore"}

    platform: Platform
    posts: Number
    images: Number
    first: Day = Field(None, alias="from")
    last: Day = Field(None, alias="to")
    skipped: dict[str, Number] = Field(default_factory=dict, exclude=True)


class Dataset(Record):
    """One offer, as it was when it was looked at last. It is good if it has counts."""

    version: str
    at: AwareDatetime
    counts: Counts | None = None
    problem: Sentence = ""


def known(data: Mapping[str, str]) -> dict[str, Dataset]:
    """What the ConfigMap says; what is not ours is as if it were not there, and is looked at again."""
    found: dict[str, Dataset] = {}
    for key, text in data.items():
        try:
            found[key] = Dataset.model_validate_json(text)
        except ValidationError:
            continue
    return found


def due(offers: Iterable[Offer], datasets: Mapping[str, Dataset], now: datetime) -> list[Offer]:
    """Which offers are to be looked at, the most urgent first: those with a volume, of them new ones, then the oldest."""
    wanted = [it for it in offers if _stale(it, datasets.get(it.key), now)]
    return sorted(wanted, key=lambda it: (not it.bound, _last(datasets.get(it.key)), it.key))


def _stale(offer: Offer, dataset: Dataset | None, now: datetime) -> bool:
    if dataset is None or dataset.version != offer.version:
        return True
    return now - dataset.at >= (_FRESH if dataset.counts else _TRIED)


def _last(dataset: Dataset | None) -> float:
    return dataset.at.timestamp() if dataset else 0


def best(offers: Iterable[Offer], datasets: Mapping[str, Dataset]) -> dict[Platform, tuple[Offer, Counts]]:
    """Of each platform the dataset that a federation gets: the one with most posts, and among equals the first by name.

    One whose offer has changed counts as it was until it has been looked at; one without a post is none.
    """
    found: dict[Platform, tuple[Offer, Counts]] = {}
    for offer in sorted(offers, key=lambda it: it.key):
        counts = datasets[offer.key].counts if offer.key in datasets else None
        if counts is None or counts.platform != offer.platform or not counts.posts:
            continue
        if offer.platform not in found or counts.posts > found[offer.platform][1].posts:
            found[offer.platform] = (offer, counts)
    return found
