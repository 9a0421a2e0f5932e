"""Facebook's JSON: a list of posts in numbered files, beside it albums that list the same photos again.

A post's text is in `data[].post`; its photos are in `attachments[].data[].media`, each with the caption once more. The
`title` ("Ada added a new photo.") is Facebook's sentence, not the person's.
"""

from typing import Any

from fedspoke.data.exports.loose import objects, text, timestamp
from fedspoke.data.exports.post import RawPost

FILES = tuple(
    f"{root}posts/{name}"
    for root in ("your_facebook_activity/", "your_activity_across_facebook/", "")  # since 2023, before, until 2022
    for name in ("your_posts*.json", "album/*.json", "your_uncategorized_photos.json", "your_videos.json")
)
"""Patterns in reading order: posts before the albums that repeat their photos."""


def parse(document: Any) -> list[RawPost] | None:
    """The posts of one file, repaired already; None when it has another layout."""
    if isinstance(document, list):
        return [_post(entry) for entry in document]
    for key in ("photos", "other_photos_v2", "videos_v2"):
        if isinstance(document, dict) and isinstance(document.get(key), list):
            return [_media_alone(entry) for entry in document[key]]
    return None


def _post(entry: Any) -> RawPost:
    attached = [item for attachment in objects(entry, "attachments") for item in objects(attachment, "data")]
    media = [item["media"] for item in attached if text(item.get("media"), "uri")]
    words = [text(item, "post") for item in objects(entry, "data")]
    return RawPost(
        text="\n\n".join(filter(None, words)) or next(filter(None, (text(item, "description") for item in media)), ""),
        timestamp=timestamp(entry, "timestamp"),
        media=tuple(text(item, "uri") for item in media),
        links=sum(1 for item in attached if text(item.get("external_context"), "url")),
    )


def _media_alone(entry: Any) -> RawPost:
    uri = text(entry, "uri")
    return RawPost(
        text=text(entry, "description"),
        timestamp=timestamp(entry, "creation_timestamp"),
        media=(uri,) if uri else (),
    )
