"""From what a platform lists to what can be learned from: a text, and the photos that it is about."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import PurePosixPath

from fedspoke.data.exports.post import Medium, Post, RawPost

_IMAGES = {".jpg", ".jpeg", ".png", ".webp", ".avif", ".heic", ".heif", ".gif"}
_VIDEOS = {".mp4", ".mov", ".m4v", ".webm", ".avi", ".mkv", ".3gp"}


def usable(raw: Iterable[RawPost], lacking: Callable[[str], str | None], skipped: Counter[str]) -> Iterator[Post]:
    """The posts that can be learned from; `skipped` counts how often each reason took something away.

    Args:
        raw: entries in any order.
        lacking: why the export cannot give the file of a uri, or None when it can.
        skipped: complete once the iterator is exhausted.
    """
    captions: dict[str, set[str]] = {}
    for entry in raw:
        text = entry.text or next((medium.text for medium in entry.media if medium.text), "")
        if entry.media and all(_told(captions.get(medium.uri), text) for medium in entry.media):
            skipped["repeated_media"] += 1
            continue
        for medium in entry.media:
            captions.setdefault(medium.uri, set()).add(text)
        reasons = {medium.uri: unusable(medium) or lacking(medium.uri) for medium in entry.media}
        skipped.update(reason for reason in reasons.values() if reason)
        photos = tuple(uri for uri, reason in reasons.items() if reason is None)
        if entry.links:
            skipped["link"] += entry.links
        if text:
            yield Post(kind=entry.kind, text=text, images=photos, timestamp=entry.timestamp)
        elif photos:
            skipped["no_text"] += 1
        elif not entry.media and not entry.links:
            skipped["empty_post"] += 1


def _told(captions: set[str] | None, text: str) -> bool:
    return captions is not None and (not text or text in captions)


def unusable(medium: Medium) -> str | None:
    """Why a medium is no photo of the export, as far as its name tells."""
    if "://" in medium.uri:
        return "remote_media"
    suffix = PurePosixPath(medium.uri).suffix.lower()
    if suffix in _VIDEOS:
        return "video"
    return None if suffix in _IMAGES else "unsupported_format"
