"""Small exports in the platforms' own layouts: a test names only the posts it is about."""

import json
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from PIL import Image

from fedspoke.api.names import Platform
from fedspoke.data.exports.post import RawPost
from fedspoke.data.exports.repair import repaired
from fedspoke.local.exports import imagine
from fedspoke.local.exports.darkroom import Darkroom
from fedspoke.local.exports.file import File
from fedspoke.local.exports.forms import FORMS

FACEBOOK_POSTS = "your_facebook_activity/posts/your_posts__check_ins__photos_and_videos_1.json"
INSTAGRAM_POSTS = "your_instagram_activity/media/posts_1.json"

Json = Any


def mangled(text: str) -> str:
    """A text as both platforms write it: every byte a character."""
    return text.encode().decode("latin-1")


def facebook_post(text: str = "", *media: str, at: int = 1_700_000_000, caption: str = "", link: str = "") -> Json:
    attached: list[Json] = [{"media": {"uri": uri, "description": mangled(caption), "title": "Timeline photos"}} for uri in media]
    if link:
        attached.append({"external_context": {"url": link}})
    return {
        "timestamp": at,
        "data": [*([{"post": mangled(text)}] if text else []), {"update_timestamp": at}],
        "attachments": [{"data": attached}] if attached else [],
        "title": "Ada Lovelace added a new photo.",
    }


def instagram_post(text: str, *media: str, at: int = 1_700_000_000) -> Json:
    if len(media) == 1:
        return {"media": [{"uri": media[0], "creation_timestamp": at, "title": mangled(text)}]}
    items = [{"uri": uri, "creation_timestamp": at, "title": ""} for uri in media]
    return {"media": items, "title": mangled(text), "creation_timestamp": at}


def write(folder: Path, files: Mapping[str, Json], photos: Sequence[str] = ()) -> Path:
    """An export of these JSON documents and photos (of one colour each, all different)."""
    for name, document in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document))
    for number, name in enumerate(photos):
        photo(folder / name, colour=(40 * number % 256, 90, 200 - number))
    return folder


def photo(path: Path, *, size: tuple[int, int] = (32, 24), colour: tuple[int, ...] = (200, 30, 30), **options: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path, **options)


def imagined(
    platform: Platform, posts: int, *, year: int = 2026, seed: int = 1, formats: Sequence[str] = ("jpg",)
) -> Iterator[File]:
    """An export of as many posts of somebody who does not exist, for `fedspoke.local.exports.store`."""
    darkroom = _darkroom()
    return FORMS[platform](imagine.posts(posts, list(_NAMES), seed=seed, formats=formats), darkroom, year)


_NAMES = tuple(f"photograph {number}" for number in range(64))


@cache
def _darkroom() -> Darkroom:
    """Photographs of coarse blots, no two alike."""
    noise = np.random.default_rng(7)
    blots = noise.integers(0, 256, (len(_NAMES), 6, 8, 3), np.uint8)
    return Darkroom({name: np.kron(blot, np.ones((16, 16, 1), np.uint8)) for name, blot in zip(_NAMES, blots, strict=True)})


def parsed(parser: ModuleType, name: str, document: Json) -> list[RawPost | None]:
    """What a platform's parser finds in one file of an export."""
    return [
        parser.parse(repaired(entry), kind)
        for listing in parser.FILES
        if fnmatch(name, listing.files)
        for prefix, kind in listing.entries.items()
        for entry in _listed(document, prefix)
    ]


def _listed(document: Json, prefix: str) -> list[Json]:
    if prefix.startswith("?"):
        return [document] if isinstance(document, dict) and prefix[1:] in document else []
    key = prefix.removesuffix("item").removesuffix(".")
    found = document.get(key) if key and isinstance(document, dict) else document if not key else None
    return found if isinstance(found, list) else []
