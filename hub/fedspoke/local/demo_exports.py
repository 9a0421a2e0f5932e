"""Two people's exports as the platforms deliver them today, made of photographs that scikit-image carries.

Captions, dates and the choice of photos are in example/; here they take the platforms' form, its quirks included: mangled
texts, an album that lists photos again, coordinates and an address that nobody may read.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image
from pydantic import BaseModel, ConfigDict

from fedspoke.api.names import Platform

_MP4 = bytes.fromhex("00000018667479706d703432000000006d70343269736f6d")  # an empty video's header
_LONGEST_SIDE = 960


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Coordinates(_Entry):
    """Where a photo was taken, in degrees."""

    latitude: float
    longitude: float


class Photograph(_Entry):
    """A file among the photographs, or the part of it in `box` (left, top, right, bottom, in pixels)."""

    file: str
    box: tuple[int, int, int, int] | None = None
    format: str = "jpg"
    gps: Coordinates | None = None
    upload_ip: str | None = None


class Link(_Entry):
    """A page that a post shares."""

    url: str
    name: str


class DemoPost(_Entry):
    """One post of example/<platform>.yaml."""

    time: datetime
    text: str = ""
    photos: tuple[Photograph, ...] = ()
    video: bool = False
    link: Link | None = None
    place: str | None = None
    tagged: tuple[str, ...] = ()
    album: str | None = None

    @property
    def timestamp(self) -> int:
        """Seconds since 1970."""
        return int(self.time.replace(tzinfo=UTC).timestamp())


def write(platform: Platform, posts: Sequence[DemoPost], photographs: Path, export: Path) -> None:
    """Write one person's export into the folder `export`."""
    if platform == "facebook":
        _facebook(posts, photographs, export)
    else:
        _instagram(posts, photographs, export)


def _facebook(posts: Sequence[DemoPost], photographs: Path, export: Path) -> None:
    folder = "your_facebook_activity/posts"
    entries: list[dict[str, Any]] = []
    for number, post in enumerate(posts):
        attached = []
        for uri, photo in _save_media(post, number, f"{folder}/media/Timelinephotos_aW5u", photographs, export):
            metadata = {"exif_data": [{"upload_ip": photo.upload_ip, **_degrees(photo)}]} if photo else {}
            kind = "photo_metadata" if photo else "video_metadata"
            attached.append(
                {
                    "media": {
                        "uri": uri,
                        "creation_timestamp": post.timestamp,
                        "media_metadata": {kind: metadata},
                        "title": "Timeline photos",
                        "description": post.text,
                    }
                }
            )
        if post.link:
            attached.append({"external_context": {"url": post.link.url, "name": post.link.name}})
        if post.place:
            attached.append({"place": {"name": post.place, "coordinate": _degrees(post.photos[0]), "address": post.place}})
        entries.append(
            {
                "timestamp": post.timestamp,
                "attachments": [{"data": attached}] if attached else [],
                "data": [*([{"post": post.text}] if post.text else []), {"update_timestamp": post.timestamp}],
                "title": "Katrin Sommer added a new photo." if post.photos else "Katrin Sommer updated her status.",
                "tags": [{"name": name} for name in post.tagged],
            }
        )
    _write_json(export / folder / "your_posts__check_ins__photos_and_videos_1.json", entries)
    albums: dict[str, list[Any]] = {}
    for post, entry in zip(posts, entries, strict=True):
        if post.album:
            albums.setdefault(post.album, []).append(entry["attachments"][0]["data"][0]["media"])
    for number, (name, photos) in enumerate(albums.items()):
        _write_json(export / folder / f"album/{number}.json", {"name": name, "photos": photos, "cover_photo": photos[0]})


def _instagram(posts: Sequence[DemoPost], photographs: Path, export: Path) -> None:
    entries: list[dict[str, Any]] = []
    for number, post in enumerate(posts):
        saved = _save_media(post, number, f"media/posts/{post.time:%Y%m}", photographs, export)
        alone = len(saved) == 1
        media: list[dict[str, Any]] = [
            {
                "uri": uri,
                "creation_timestamp": post.timestamp,
                "media_metadata": {"camera_metadata": {"has_camera_metadata": False}} if photo else {"video_metadata": {}},
                "title": post.text if alone else "",
                "cross_post_source": {"source_app": "FB"},
            }
            for uri, photo in saved
        ]
        entries.append({"media": media} if alone else {"media": media, "title": post.text, "creation_timestamp": post.timestamp})
    _write_json(export / "your_instagram_activity/media/posts_1.json", entries)


def _save_media(post: DemoPost, number: int, folder: str, photographs: Path, export: Path) -> list[tuple[str, Photograph | None]]:
    """Save a post's photos, or its video (None), and return them by their uri."""
    saved: list[tuple[str, Photograph | None]] = []
    for place, photo in enumerate(post.photos):
        uri = f"{folder}/{post.timestamp}_{number:03}{place}_n.{photo.format}"
        saved.append((uri, photo))
        _save_photo(photo, photographs, export / uri)
    if post.video:
        uri = f"{folder}/{post.timestamp}_{number:03}0_n.mp4"
        saved.append((uri, None))
        (export / uri).parent.mkdir(parents=True, exist_ok=True)
        (export / uri).write_bytes(_MP4)
    return saved


def _save_photo(photo: Photograph, photographs: Path, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(photographs / photo.file) as original:
        part = original.crop(photo.box) if photo.box else original.copy()
    picture = Image.new("RGB", part.size, "white")
    picture.paste(part, mask=part if part.mode == "RGBA" else None)
    picture.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
    exif = Image.Exif()
    if photo.gps:
        gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
        gps[ExifTags.GPS.GPSLatitudeRef], gps[ExifTags.GPS.GPSLatitude] = "N", (photo.gps.latitude, 0, 0)
        gps[ExifTags.GPS.GPSLongitudeRef], gps[ExifTags.GPS.GPSLongitude] = "W", (-photo.gps.longitude, 0, 0)
    picture.save(path, quality=90, exif=exif)


def _degrees(photo: Photograph) -> dict[str, float]:
    return photo.gps.model_dump() if photo.gps else {}


def _write_json(path: Path, document: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(_mangled(document), indent=2))


def _mangled(document: Any) -> Any:
    """Every byte of a text as a character of its own, as both platforms write it."""
    if isinstance(document, str):
        return document.encode().decode("latin-1")
    if isinstance(document, list):
        return [_mangled(item) for item in document]
    if isinstance(document, dict):
        return {key: _mangled(value) for key, value in document.items()}
    return document
