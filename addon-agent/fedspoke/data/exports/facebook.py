"""Facebook's JSON: a list of posts in numbered files, beside it albums that list the same photos again.

A post's text is in `data[].post`; its photos are in `attachments[].data[].media`, each with words of its own, which are often
the post's once more. A `title` ("Ada added a new photo.", "Timeline photos") is Facebook's, not the person's; a note's is.

Files of what others wrote (on the timeline, in comments) and the folder `groups` are not read. What the person wrote on
somebody's timeline or in a group may stand among the posts all the same, told from them by its title alone ("Ada wrote on Bob's
timeline."), in the account's language: it is read as a post.
"""

from typing import Any

from fedspoke.data.exports.labelled import labelled
from fedspoke.data.exports.loose import objects, text, timestamp
from fedspoke.data.exports.post import Kind, Listing, Medium, RawPost

_ROOTS = (
    "your_facebook_activity/",  # since 2023
    "your_activity_across_facebook/",  # 2022
    "this_profile's_activity_across_facebook/",  # of a further profile or a page
    "",  # until 2021
)

_ALBUM: dict[str, Kind] = {"photos.item": "album", "videos.item": "album"}
_LOOSE: dict[str, Kind] = {"other_photos_v2.item": "photo", "other_photos.item": "photo"}
_VIDEOS: dict[str, Kind] = {"videos_v2.item": "video", "videos.item": "video"}
_REELS: dict[str, Kind] = {"lasso_videos_v2.item": "reel"}
_PHOTOS: dict[str, Kind] = {"item": "photo", "photos_v2.item": "photo", "photos.item": "photo"}
_NOTES: dict[str, Kind] = {"notes_v2.item": "note", "notes.item": "note"}

_POSTS: dict[str, Kind] = {"item": "post", "?attachments": "post", "?data": "post", "?label_values": "post"}

_LISTS: dict[str, dict[str, Kind]] = {
    "posts/your_posts*.json": _POSTS,
    "posts/profile_posts*.json": _POSTS,
    "posts/archive.json": {"archive_v2.item": "archived"},
    "stories/archived_stories*.json": {"archived_stories_v2.item": "story", "archived_stories.item": "story"},
    "short_videos/your_reels*.json": _REELS,
    "reels/your_reels*.json": _REELS,
    "other_activity/notes.json": _NOTES,
    "posts/notes.json": _NOTES,
    "posts/album/*.json": _ALBUM,
    "photos_and_videos/album/*.json": _ALBUM,
    "posts/your_uncategorized_photos.json": _LOOSE,
    "posts/uncategorized_photos.json": _LOOSE,
    "posts/your_photos*.json": _PHOTOS,
    "posts/your_videos.json": _VIDEOS,
    "posts/videos.json": _VIDEOS,
    "photos_and_videos/your_videos.json": _VIDEOS,
}

_ATTACHMENTS = {"media", "note", "life_event", "external_context", "event", "place", "name"}
"""What an attachment may hold; of a place and a bare name nothing is wanted."""

FILES = tuple(Listing(files=root + name, entries=entries) for root in _ROOTS for name, entries in _LISTS.items())


def parse(entry: Any, kind: Kind) -> RawPost | None:
    """One entry of a listing, repaired already; None when it is none at all."""
    if not isinstance(entry, dict):
        return None
    if found := labelled(entry, kind, words="description"):
        return found
    if text(entry, "uri"):
        return RawPost(kind=kind, timestamp=timestamp(entry, "creation_timestamp"), media=_media([entry]))
    if kind == "note":
        return RawPost(
            kind=kind,
            text=_note(entry),
            timestamp=timestamp(entry, "created_timestamp"),
            media=_media(objects(entry, "media")),
        )
    return _post(entry, kind)


def _post(entry: dict[str, Any], kind: Kind) -> RawPost:
    attached = [item for attachment in objects(entry, "attachments") for item in objects(attachment, "data")]
    notes = [item["note"] for item in attached if isinstance(item.get("note"), dict)]
    media = [item["media"] for item in attached if isinstance(item.get("media"), dict)]
    contexts = [item["external_context"] for item in attached if isinstance(item.get("external_context"), dict)]
    links = sum(1 for context in contexts if text(context, "url"))
    words = [text(item, "post") for item in objects(entry, "data")]
    words += [text(item.get("life_event"), "description") for item in attached]
    return RawPost(
        kind=kind,
        text="\n\n".join(filter(None, [*words, *map(_note, notes)])),
        timestamp=timestamp(entry, "timestamp"),
        media=_media([*media, *(medium for note in notes for medium in objects(note, "media"))]),
        links=links,
        shares=len(contexts) - links + sum(1 for item in attached if isinstance(item.get("event"), dict)),
        unknown_attachments=sum(1 for item in attached if item and not _ATTACHMENTS.intersection(item)),
    )


def _note(note: dict[str, Any]) -> str:
    return "\n\n".join(filter(None, (text(note, "title"), text(note, "text"))))


def _media(items: list[dict[str, Any]]) -> tuple[Medium, ...]:
    return tuple(Medium(text(item, "uri"), text(item, "description")) for item in items if text(item, "uri"))
