"""Instagram's form: a list of media for each post, in a file for each kind; until 2020 one file with media alone.

Since 2026 the posts are there a second time, as fields by their label.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from fedspoke.local.exports.darkroom import VIDEO, Darkroom
from fedspoke.local.exports.file import File, document
from fedspoke.local.exports.posted import Posted

_POSTS_A_FILE = 5000
_FOLDERS = {"post": "posts", "story": "stories", "reel": "reels", "archived": "archived_posts"}


def files(posts: Iterable[Posted], darkroom: Darkroom, year: int) -> Iterator[File]:
    """An export as it was delivered in a year, file by file."""
    listed: dict[str, list[tuple[Posted, list[str]]]] = {"post": [], "story": [], "reel": [], "archived": []}
    for number, post in enumerate(posts):
        start = f"media/{_FOLDERS[post.kind]}/{post.time:%Y%m}/{post.timestamp}_{number:03}"
        uris = []
        for place, photo in enumerate(post.photos):
            uris.append(f"{start}{place}_n.{photo.format}")
            yield File(uris[-1], darkroom.photo(photo))
        if post.video:
            uris.append(f"{start}0_n.mp4")
            yield File(uris[-1], VIDEO)
        if uris:  # nobody posts words alone here
            listed[post.kind].append((post, uris))
    yield from _documents(listed, year) if year > 2020 else _one_document(listed)


def _root(year: int) -> str:
    if year >= 2025:
        return "your_instagram_activity/media/"
    return "your_instagram_activity/content/" if year >= 2023 else "content/"


def _documents(listed: dict[str, list[tuple[Posted, list[str]]]], year: int) -> Iterator[File]:
    root = _root(year)
    if year >= 2026:
        yield document(f"{root}posts.json", [_labelled(post, uris) for post, uris in listed["post"]])
    posts = [_entry(post, uris) for post, uris in listed["post"]]
    for start in range(0, len(posts), _POSTS_A_FILE):
        yield document(f"{root}posts_{start // _POSTS_A_FILE + 1}.json", posts[start : start + _POSTS_A_FILE])
    if listed["story"]:
        stories = [_medium(post, uri, post.text) for post, uris in listed["story"] for uri in uris]
        yield document(f"{root}stories.json", {"ig_stories": stories})
    for kind, name, key in (("reel", "reels", "ig_reels_media"), ("archived", "archived_posts", "ig_archived_post_media")):
        if listed[kind]:
            yield document(f"{root}{name}.json", {key: [_entry(post, uris) for post, uris in listed[kind]]})


def _entry(post: Posted, uris: list[str]) -> dict[str, Any]:
    if len(uris) == 1:
        return {"media": [_medium(post, uris[0], post.text)]}
    media = [_medium(post, uri, "") for uri in uris]
    return {"media": media, "title": post.text, "creation_timestamp": post.timestamp}


def _labelled(post: Posted, uris: list[str]) -> dict[str, Any]:
    owner = [{"title": "", "dict": [{"label": "Name", "value": "Léo Martin"}, {"label": "Username", "value": "leo.en.selle"}]}]
    return {
        "timestamp": post.timestamp,
        "media": [],
        "label_values": [
            {
                "label": "URL",
                "value": f"https://example.org/p/{post.timestamp}",
                "href": f"https://example.org/p/{post.timestamp}",
            },
            {"label": "Caption", "value": post.text},
            {"label": "Location", "value": post.place or ""},
            {"label": "Media", "media": [_medium(post, uri, "") for uri in uris]},
            {"title": "Owner", "dict": owner},
        ],
        "fbid": str(post.timestamp),
    }


def _medium(post: Posted, uri: str, text: str) -> dict[str, Any]:
    photo = {"camera_metadata": {"has_camera_metadata": False}}
    return {
        "uri": uri,
        "creation_timestamp": post.timestamp,
        "media_metadata": {"video_metadata": {}} if uri.endswith(".mp4") else photo,
        "title": text,
        "cross_post_source": {"source_app": "FB"},
    }


def _one_document(listed: dict[str, list[tuple[Posted, list[str]]]]) -> Iterator[File]:
    media: dict[str, list[Any]] = {"photos": [], "videos": [], "stories": []}
    for kind, posts in listed.items():
        for post, uris in posts:
            for uri in uris:
                taken = datetime.fromtimestamp(post.timestamp, UTC).strftime("%Y-%m-%dT%H:%M:%S")
                entry = {"caption": post.text, "taken_at": taken, "location": post.place or "", "path": uri}
                media["stories" if kind == "story" else "videos" if uri.endswith(".mp4") else "photos"].append(entry)
    yield document("media.json", media)
