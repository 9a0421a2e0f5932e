"""Instagram's JSON: posts in numbered files, each a list of media.

The caption is the post's `title` where there are several media, and the medium's own `title` where there is one.
"""

from typing import Any

from fedspoke.data.exports.loose import objects, text, timestamp
from fedspoke.data.exports.post import Kind, Listing, Medium, RawPost

_ROOTS = ("your_instagram_activity/media/", "your_instagram_activity/content/", "content/")  # since 2025, 2023, 2021

_LISTS: dict[str, dict[str, Kind]] = {
    "posts_*.json": {"item": "post", "ig_posts.item": "post"},
    "reels.json": {"item": "reel", "ig_reels_media.item": "reel"},
    "igtv_videos.json": {"item": "igtv", "ig_igtv_media.item": "igtv"},
    "stories.json": {"item": "story", "ig_stories.item": "story"},
    "other_content.json": {"item": "other", "ig_other_media.item": "other"},
}

FILES = tuple(Listing(files=root + name, entries=entries) for root in _ROOTS for name, entries in _LISTS.items())


def parse(entry: Any, kind: Kind) -> RawPost | None:
    """One entry of a listing, repaired already; None when it is none at all."""
    if not isinstance(entry, dict):
        return None
    # Stories are media without a post around them.
    listed = [item for item in objects(entry, "media") or [entry] if text(item, "uri")]
    first = listed[0] if listed else None
    return RawPost(
        kind=kind,
        text=text(entry, "title"),
        timestamp=timestamp(entry, "creation_timestamp") or timestamp(first, "creation_timestamp"),
        media=tuple(Medium(text(item, "uri"), text(item, "title")) for item in listed),
    )
