"""From what a platform lists to what can be learned from: a text, and the photos that it is about.

Both platforms list a photo more than once, in posts and in albums, with words here, there or in both, and the files come in
any order. So all entries are gathered first, and told in the order of time: the same entries make the same posts, whatever
order they came in.
"""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import PurePosixPath

from fedspoke.api.errors import Failed
from fedspoke.data.exports.entries import MOST_WORDS, Entries, is_listing, is_passing
from fedspoke.data.exports.post import Post, RawPost

_IMAGES = {".jpg", ".jpeg", ".png", ".webp", ".avif", ".heic", ".heif", ".gif"}
_VIDEOS = {".mp4", ".mov", ".m4v", ".webm", ".avi", ".mkv", ".3gp"}
_MOST_SEARCHED = 100  # media of one post


def usable(raw: Iterable[RawPost], lacking: Callable[[str], str | None], skipped: Counter[str]) -> Iterator[Post]:
    """The posts that can be learned from, first in time first; `skipped` counts how often each reason took something away.

    A post has a text and all the photos that it tells; a photo with other words of its own makes a post with those. A listing
    of what a post holds already only adds its words. Videos and links are left out, the text beside them stays. Stories and
    archived posts are told apart from all this, as if there were nothing else.

    Args:
        raw: entries in any order.
        lacking: why the export cannot give the file of a uri, or None when it can.
        skipped: complete once the iterator is exhausted.

    Raises:
        Failed: the temporary file cannot be written.
    """
    try:
        with closing(Entries()) as entries:
            for entry in raw:
                entries.add(entry)
            for entry in entries.in_time():
                yield from (_tell(entry, entries, lacking, skipped) if entry.media else _words(entry, skipped))
    except sqlite3.Error as error:
        raise Failed(f"the posts cannot be put in order ({error}); make room in the folder for temporary files") from None


def _words(entry: RawPost, skipped: Counter[str]) -> Iterator[Post]:
    """An entry without a photo or video."""
    _count_aside(skipped, entry)
    if entry.text:
        yield Post(kind=entry.kind, text=entry.text, images=(), timestamp=entry.timestamp)
    elif entry.unknown_label:
        _count(skipped, unknown_label=1)
    elif not entry.links and not entry.shares and not entry.unknown_attachments:
        _count(skipped, empty_post=1)


def _tell(entry: RawPost, entries: Entries, lacking: Callable[[str], str | None], skipped: Counter[str]) -> Iterator[Post]:
    """An entry with photos or videos."""
    own = _own(entry)
    reasons = {uri: _unusable(uri) or lacking(uri) for uri in own}
    texts = _untold(entry, own, [uri for uri in own if reasons[uri] is None], entries)
    _count_aside(skipped, entry)
    _count(skipped, repeated_media=len(own) - len(texts))
    skipped.update(reason for uri in texts if (reason := reasons[uri]))
    groups: dict[str, list[str]] = {}
    for uri, text in texts.items():
        groups.setdefault(text, []).append(uri)
    for text, uris in groups.items():
        images = tuple(uri for uri in uris if reasons[uri] is None)
        if text:
            yield Post(kind=entry.kind, text=text, images=images, timestamp=entry.timestamp)
        elif images:
            _count(skipped, **{"unknown_label" if entry.unknown_label else "no_text": 1})


def _untold(entry: RawPost, own: Mapping[str, str], photos: list[str], entries: Entries) -> dict[str, str]:
    """What there is to say of each medium of which not all was said before. From now on, it was."""
    passing = is_passing(entry)
    alone = _texts(entry.text, own, photos)
    if is_listing(entry):
        fresh = [uri for uri in own if not entries.is_posted(uri) and not entries.is_told(uri, passing=passing)]
    else:
        fresh = [uri for uri in own if not entries.is_told(uri, alone[uri], passing=passing)]
    words = {uri: own[uri] if passing else _joined([own[uri], *entries.take_words(uri)]) for uri in fresh}
    texts = _texts(entry.text, {**own, **words}, photos)
    # With the words of a listing, an entry may say what another said without one.
    fresh = [uri for uri in fresh if not entries.is_told(uri, texts[uri], passing=passing)]
    for uri in fresh:
        entries.tell(uri, alone[uri], passing=passing)
        entries.tell(uri, texts[uri], passing=passing)
    return {uri: texts[uri] for uri in fresh}


def _own(entry: RawPost) -> dict[str, str]:
    """The words of each medium, in the order in which the person put them."""
    words: dict[str, list[str]] = {}
    for medium in entry.media:
        words.setdefault(medium.uri, []).append(medium.text)
    return {uri: _joined(found) for uri, found in words.items()}


def _joined(words: list[str]) -> str:
    """All the words of one medium, none of them twice."""
    distinct = list(dict.fromkeys(filter(None, words)))[:MOST_WORDS]
    return "\n\n".join(one for one in distinct if not any(one != other and one in other for other in distinct))


def _texts(text: str, own: Mapping[str, str], photos: list[str]) -> dict[str, str]:
    """What is said of each medium: words of its own that the post's text lacks, or else that text.

    The post's text is never lost: where every photo has words of its own, it stands before those of the first.
    """
    # With more media than anybody posts at once, searching for the words of each would take as long as somebody wished.
    has = text.__contains__ if len(own) <= _MOST_SEARCHED else text.__eq__
    said = {uri: words if words and not has(words) else text for uri, words in own.items()}
    told = photos or list(own)
    if text in (said[uri] for uri in told):
        return said
    first = said[told[0]]
    whole = first if text in first else f"{text}\n\n{first}"
    return {uri: whole if words in {first, text} else words for uri, words in said.items()}


def _unusable(uri: str) -> str | None:
    """Why a medium is no photo of the export, as far as its name tells."""
    if "://" in uri:
        return "remote_media"
    suffix = PurePosixPath(uri).suffix.lower()
    if suffix in _VIDEOS:
        return "video"
    return None if suffix in _IMAGES else "unsupported_format"


def _count_aside(skipped: Counter[str], entry: RawPost) -> None:
    """What an entry holds beside words and media."""
    _count(skipped, link=entry.links, share=entry.shares, unknown_attachment=entry.unknown_attachments)


def _count(skipped: Counter[str], **reasons: int) -> None:
    """A Counter that was told of none would hold a reason with 0."""
    skipped.update({reason: count for reason, count in reasons.items() if count})
