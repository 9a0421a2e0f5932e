"""Facebook's JSON: a list of posts in numbered files, beside it albums that list the same photos again.

A post's text is in `data[].post`; its photos are in `attachments[].data[].media`, each with the caption once more. The
`title` ("Ada added a new photo.") is Facebook's sentence, not the person's.
"""

from typing import Any

from fedspoke.data.exports.loose import objects, text, timestamp
from fedspoke.data.exports.post import Kind, Listing, Medium, RawPost

_ROOTS = ("your_facebook_activity/", "your_activity_across_facebook/", "")  # since 2023, before, until 2022

_LISTS: dict[str, dict[str, Kind]] = {
    "posts/your_posts*.json": {"item": "post"},
    "posts/album/*.json": {"photos.item": "album"},
    "posts/your_uncategorized_photos.json": {"other_photos_v2.item": "photo"},
    "posts/your_videos.json": {"videos_v2.item": "video"},
}

FILES = tuple(Listing(files=root + name, entries=entries) for root in _ROOTS for name, entries in _LISTS.items())


def parse(entry: Any, kind: Kind) -> RawPost | None:
    """One entry of a listing, repaired already; None when it is none at all."""
    if not isinstance(entry, dict):
        return None
    if text(entry, "uri"):
        return RawPost(kind=kind, timestamp=timestamp(entry, "creation_timestamp"), media=(_medium(entry),))
    attached = [item for attachment in objects(entry, "attachments") for item in objects(attachment, "data")]
    words = [text(item, "post") for item in objects(entry, "data")]
    return RawPost(
        kind=kind,
        text="\n\n".join(filter(None, words)),
        timestamp=timestamp(entry, "timestamp"),
        media=tuple(_medium(item["media"]) for item in attached if text(item.get("media"), "uri")),
        links=sum(1 for item in attached if text(item.get("external_context"), "url")),
    )


def _medium(media: Any) -> Medium:
    return Medium(text(media, "uri"), text(media, "description"))
