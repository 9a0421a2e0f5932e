"""Instagram's JSON: posts in numbered files, each a list of media; everything else in a file for each kind.

The caption is the post's `title` where there are several media, and the medium's own `title` where there is one. Until 2020
all was in one `media.json`, a list a kind, each medium on its own. What was deleted, reposted or said in comments is not read.
"""

from typing import Any

from fedspoke.data.exports.labelled import labelled
from fedspoke.data.exports.loose import date, objects, text, timestamp
from fedspoke.data.exports.post import Kind, Listing, Medium, RawPost

_ROOTS = ("your_instagram_activity/media/", "your_instagram_activity/content/", "content/")  # since 2025, 2023, 2021

_LISTS: dict[str, dict[str, Kind]] = {
    "posts*.json": {"item": "post", "?media": "post", "?label_values": "post"},
    "reels*.json": {"item": "reel", "ig_reels_media.item": "reel"},
    "igtv_videos*.json": {"item": "igtv", "ig_igtv_media.item": "igtv"},
    "stories*.json": {"item": "story", "ig_stories.item": "story"},
    "archived_posts*.json": {"item": "archived", "ig_archived_post_media.item": "archived"},
    "other_content*.json": {"item": "other", "ig_other_media.item": "other"},
    "profile_photos*.json": {"item": "profile", "ig_profile_picture.item": "profile"},
}

_UNTIL_2020: dict[str, Kind] = {
    "photos.item": "post",
    "videos.item": "post",
    "stories.item": "story",
    "profile.item": "profile",
}

FILES = (
    *(Listing(files=root + name, entries=entries) for root in _ROOTS for name, entries in _LISTS.items()),
    Listing(files="media*.json", entries=_UNTIL_2020, apart=True),
)


def parse(entry: Any, kind: Kind) -> RawPost | None:
    """One entry of a listing, repaired already; None when it is none at all."""
    if not isinstance(entry, dict):
        return None
    if found := labelled(entry, kind, words="title"):
        return found
    # Stories, and all that is older than 2021, are media without a post around them.
    media = objects(entry, "media") or [entry]
    times = (_time(entry), *map(_time, media))
    return RawPost(
        kind=kind,
        text=text(entry, "title") or text(entry, "caption"),
        timestamp=next(filter(None, times), None),
        media=tuple(Medium(_uri(item), text(item, "title")) for item in media if _uri(item)),
    )


def _uri(medium: dict[str, Any]) -> str:
    return text(medium, "uri") or text(medium, "path")


def _time(item: dict[str, Any]) -> int | None:
    return timestamp(item, "creation_timestamp") or date(item, "taken_at")
