"""Instagram's JSON: posts in numbered files, each a list of media.

The caption is the post's `title` where there are several media, and the medium's own `title` where there is one. Archived
posts are not read: their owner took them back.
"""

from typing import Any

from fedspoke.data.exports.loose import objects, text, timestamp
from fedspoke.data.exports.post import RawPost

FILES = tuple(
    f"{root}/{name}.json"
    for root in ("your_instagram_activity/media", "your_instagram_activity/content", "content")  # since 2025, 2023, 2021
    for name in ("posts_*", "reels", "igtv_videos", "stories", "other_content")
)
"""Patterns in reading order."""


def parse(document: Any) -> list[RawPost] | None:
    """The posts of one file, repaired already; None when it has another layout."""
    if isinstance(document, list):
        return [_post(entry) for entry in document]
    if isinstance(document, dict):
        for key, value in document.items():
            if key.startswith("ig_") and isinstance(value, list):
                return [_post(entry) for entry in value]
    return None


def _post(entry: Any) -> RawPost:
    # Stories are media without a post around them.
    media = [item for item in objects(entry, "media") or [entry] if text(item, "uri")]
    first = media[0] if media else None
    return RawPost(
        text=text(entry, "title") or text(first, "title"),
        timestamp=timestamp(entry, "creation_timestamp") or timestamp(first, "creation_timestamp"),
        media=tuple(text(item, "uri") for item in media),
    )
