"""Posts that nobody wrote, as many as wanted, as mixed as a real account's: the same seed imagines the same posts."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import yaml

from fedspoke.local.exports.posted import Coordinates, Link, Photo, Posted

_WORDS: dict[str, dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "words.yaml").read_text())
_START = datetime(2012, 1, 1, 9, 0)
_YEARS = timedelta(days=365 * 12)
_PEOPLE = ("lena", "tomasz", "amara", "yusuf", "ines", "noor", "piet", "sofia", "emre", "juno")
_EMOJI = ("☀️", "🌧️", "🚲", "☕", "🐦", "😄", "🌿", "👩‍🚀", "❤️", "🏔️")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    """What a post consists of, and how many of a hundred do."""

    weight: int
    kind: Literal["post", "story", "reel", "archived"] = "post"
    words: Literal["caption", "tags", "none"] = "caption"
    photos: tuple[int, int] = (0, 0)
    video: bool = False
    link: bool = False


_SHAPES = (
    _Shape(weight=50, photos=(1, 1)),
    _Shape(weight=12, photos=(2, 5)),
    _Shape(weight=12),
    _Shape(weight=4, link=True),
    _Shape(weight=4, video=True),
    _Shape(weight=3, photos=(1, 1), words="none"),
    _Shape(weight=2, photos=(1, 1), words="tags"),
    _Shape(weight=2, words="none"),
    _Shape(weight=6, photos=(1, 1), kind="story"),
    _Shape(weight=3, video=True, kind="reel"),
    _Shape(weight=2, photos=(1, 1), kind="archived"),
)


def posts(count: int, photographs: Sequence[str], *, seed: int = 0, formats: Sequence[str] = ("jpg",)) -> Iterator[Posted]:
    """So many posts of one account, first in time first.

    Args:
        count: how many.
        photographs: names of photographs for a darkroom; each may be posted any number of times.
        seed: of the account.
        formats: suffixes that its photos have had.
    """
    draw = random.Random(seed)  # noqa: S311  nothing here is a secret
    for number in range(count):
        [shape] = draw.choices(_SHAPES, [shape.weight for shape in _SHAPES])
        time = _START + number * _YEARS / count + timedelta(seconds=draw.randrange(3600))
        yield _post(draw, shape, time.replace(microsecond=0), photographs, formats)


def _post(draw: random.Random, shape: _Shape, time: datetime, photographs: Sequence[str], formats: Sequence[str]) -> Posted:
    language = _WORDS[draw.choice(list(_WORDS))]
    chosen = draw.sample(photographs, min(draw.randint(*shape.photos), len(photographs)))
    told_alone = len(chosen) > 1 and draw.random() < 0.3
    return Posted(
        kind=shape.kind,
        time=time,
        text={"caption": _caption, "tags": _tags, "none": _nothing}[shape.words](draw, language),
        photos=tuple(_photo(draw, name, draw.choice(formats), _thing(draw, language) if told_alone else "") for name in chosen),
        video=shape.video,
        link=Link(url=_url(draw), name=_thing(draw, language)) if shape.link else None,
        place=draw.choice(language["places"]) if chosen and draw.random() < 0.1 else None,
        tagged=(draw.choice(_PEOPLE).title(),) if chosen and draw.random() < 0.1 else (),
        album=draw.choice(language["tags"]) if chosen and shape.kind == "post" and draw.random() < 0.2 else None,
    )


def _photo(draw: random.Random, name: str, suffix: str, text: str) -> Photo:
    located = draw.random() < 0.1
    return Photo(
        file=name,
        format=suffix,
        text=text,
        gps=Coordinates(latitude=round(draw.uniform(-60, 60), 4), longitude=round(draw.uniform(-180, 180), 4))
        if located
        else None,
        upload_ip=f"203.0.113.{draw.randrange(256)}",  # of a range that is kept for documentation
    )


def _caption(draw: random.Random, language: dict[str, Any]) -> str:
    parts = [f"{_thing(draw, language)}.", *draw.sample(language["asides"], draw.randint(0, 2))]
    if draw.random() < 0.3:
        parts.append(draw.choice(_EMOJI))
    if draw.random() < 0.12:
        parts.append(draw.choice(language["people"]).format(who=_who(draw)))
    if draw.random() < 0.06:
        lead = draw.choice(language["leads"])
        phone = language["phone"].format(draw.randrange(100), draw.randrange(100))
        parts.append(lead.format(mail=f"{_who(draw)}@example.org", phone=phone, url=_url(draw)))
    text = " ".join(parts)
    return f"{text}\n\n{_tags(draw, language)}" if draw.random() < 0.25 else text


def _thing(draw: random.Random, language: dict[str, Any]) -> str:
    return f"{draw.choice(language['things'])} {draw.choice(language['places'])}"


def _tags(draw: random.Random, language: dict[str, Any]) -> str:
    return " ".join(f"#{tag}" for tag in draw.sample(language["tags"], draw.randint(1, 4)))


def _nothing(_draw: random.Random, _language: dict[str, Any]) -> str:
    return ""


def _who(draw: random.Random) -> str:
    return f"{draw.choice(_PEOPLE)}.{draw.choice(_PEOPLE)}{draw.randrange(100)}"


def _url(draw: random.Random) -> str:
    return f"https://example.org/{draw.choice(_PEOPLE)}/{draw.randrange(10_000)}"
