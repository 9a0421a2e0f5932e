"""Facebook's form: posts in numbered files, and the same photos again in albums. Places, people and addresses beside them."""

from collections.abc import Iterable, Iterator
from typing import Any

from fedspoke.local.exports.darkroom import VIDEO, Darkroom
from fedspoke.local.exports.file import File, document
from fedspoke.local.exports.posted import Photo, Posted

_POSTS_A_FILE = 5000
_NAME = "Katrin Sommer"
_DONE = {
    "post": "updated her status.",
    "story": "has a photo that was added to her archive.",
    "reel": "posted a reel.",
    "archived": "added a new photo.",
}


def files(posts: Iterable[Posted], darkroom: Darkroom, year: int) -> Iterator[File]:
    """An export as it was delivered in a year, file by file."""
    root, name = _layout(year)
    pictures = f"{root}posts" if year >= 2020 else "photos_and_videos"
    listed: dict[str, list[Any]] = {"post": [], "story": [], "reel": [], "archived": []}
    albums: dict[str, list[Any]] = {}
    videos: list[Any] = []
    for number, post in enumerate(posts):
        media = []
        for place, photo in enumerate(post.photos):
            uri = f"{pictures}/media/Timelinephotos_aW5u/{post.timestamp}_{number:03}{place}_n.{photo.format}"
            yield File(uri, darkroom.photo(photo))
            media.append(_photo(uri, post, photo))
        if post.video:
            uri = f"{pictures}/media/videos/{post.timestamp}_{number:03}0_n.mp4"
            yield File(uri, VIDEO)
            media.append(_video(uri, post))
            videos.append(media[-1])
        if post.album:
            albums.setdefault(post.album, []).extend(media)
        listed[post.kind].append(_entry(post, media))
    for start in range(0, len(listed["post"]), _POSTS_A_FILE):
        yield document(f"{root}posts/{name}_{start // _POSTS_A_FILE + 1}.json", listed["post"][start : start + _POSTS_A_FILE])
    for number, (album, photos) in enumerate(albums.items()):
        yield document(f"{pictures}/album/{number}.json", {"name": album, "photos": photos, "cover_photo": photos[0]})
    for path, key, entries in (
        (f"{pictures}/your_videos.json", "videos_v2" if year >= 2020 else "videos", videos),
        (f"{root}posts/archive.json", "archive_v2", listed["archived"]),
        (f"{root}stories/archived_stories.json", "archived_stories_v2", listed["story"]),
        (f"{root}short_videos/your_reels.json", "lasso_videos_v2", listed["reel"]),
    ):
        if entries:
            yield document(path, {key: entries})


def _layout(year: int) -> tuple[str, str]:
    if year >= 2023:
        return "your_facebook_activity/", "your_posts__check_ins__photos_and_videos"
    return "your_activity_across_facebook/" if year == 2022 else "", "your_posts"


def _photo(uri: str, post: Posted, photo: Photo) -> dict[str, Any]:
    exif = {"upload_ip": photo.upload_ip, **(photo.gps.model_dump() if photo.gps else {})}
    return {
        "uri": uri,
        "creation_timestamp": post.timestamp,
        "media_metadata": {"photo_metadata": {"exif_data": [exif]}},
        "title": "Timeline photos",
        "description": photo.text or post.text,
    }


def _video(uri: str, post: Posted) -> dict[str, Any]:
    return {
        "uri": uri,
        "creation_timestamp": post.timestamp,
        "media_metadata": {"video_metadata": {"exif_data": [{"upload_timestamp": 0}]}},
        "thumbnail": {"uri": "https://cdn.example.org/thumbnail.jpg"},
        "description": post.text,
    }


def _entry(post: Posted, media: list[Any]) -> dict[str, Any]:
    attached = [{"media": medium} for medium in media]
    if post.link:
        attached.append({"external_context": {"url": post.link.url, "name": post.link.name}})
    if post.place:
        gps = next((photo.gps for photo in post.photos if photo.gps), None)
        attached.append({"place": {"name": post.place, "coordinate": gps.model_dump() if gps else {}, "address": post.place}})
    return {
        "timestamp": post.timestamp,
        "attachments": [{"data": attached}] if attached else [],
        "data": [*([{"post": post.text}] if post.text else []), {"update_timestamp": post.timestamp}],
        "title": f"{_NAME} {_DONE[post.kind]}",
        "tags": [{"name": name} for name in post.tagged],
    }
