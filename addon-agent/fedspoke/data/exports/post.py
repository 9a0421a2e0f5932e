"""From what a platform lists to what can be learned from: a text, and the photo that it is about."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

_IMAGES = {".jpg", ".jpeg", ".png", ".webp", ".gif"}
_VIDEOS = {".mp4", ".mov", ".m4v", ".webm", ".avi", ".mkv", ".3gp"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RawPost:
    """One entry of an export. `media` are the uris of photos and videos, `links` counts what points out of the platform.

    Places, tagged people, addresses and a photo's EXIF have no field here: they are never read.
    """

    text: str = ""
    timestamp: int | None = None
    media: tuple[str, ...] = ()
    links: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """A text with its photo (a uri inside the export), or alone."""

    text: str
    image: str | None
    timestamp: int | None


def usable(raw: Iterable[RawPost], lacking: Callable[[str], str | None]) -> tuple[list[Post], Counter[str]]:
    """The posts that can be learned from, and how often each reason took something away.

    A post needs a text and takes its first photo. Videos and links are left out, the text beside them stays. Albums list the
    photos of posts again: what only repeats is dropped, so posts must come first.

    Args:
        raw: entries in reading order.
        lacking: why the export cannot give the file of a uri, or None when it can.
    """
    posts: list[Post] = []
    skipped: Counter[str] = Counter()
    captions: dict[str, set[str]] = {}
    for entry in raw:
        if entry.media and all(_told(captions.get(uri), entry.text) for uri in entry.media):
            skipped["repeated_media"] += 1
            continue
        for uri in entry.media:
            captions.setdefault(uri, set()).add(entry.text)
        reasons = {uri: _unusable(uri) or lacking(uri) for uri in entry.media}
        skipped.update(reason for reason in reasons.values() if reason)
        photos = [uri for uri, reason in reasons.items() if reason is None]
        if entry.links:
            skipped["link"] += entry.links
        if entry.text:
            posts.append(Post(text=entry.text, image=photos[0] if photos else None, timestamp=entry.timestamp))
            if photos[1:]:
                skipped["further_photos"] += len(photos) - 1
        elif photos:
            skipped["no_text"] += 1
        elif not entry.media and not entry.links:
            skipped["empty_post"] += 1
    return posts, skipped


def _told(captions: set[str] | None, text: str) -> bool:
    return captions is not None and (not text or text in captions)


def _unusable(uri: str) -> str | None:
    if "://" in uri:
        return "remote_media"
    suffix = PurePosixPath(uri).suffix.lower()
    if suffix in _VIDEOS:
        return "video"
    return None if suffix in _IMAGES else "unsupported_format"
