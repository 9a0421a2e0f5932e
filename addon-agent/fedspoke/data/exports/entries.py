"""All entries of an export side by side, however many: in memory while they are few, in a temporary file once they are not."""

import hashlib
import json
import sqlite3
from collections.abc import Iterator

from fedspoke.data.exports.post import Medium, RawPost

_TABLES = """
PRAGMA journal_mode = OFF;
PRAGMA cache_size = -8192;  -- KiB; what is beyond lies on the disk
CREATE TABLE entry (time INTEGER, listing INTEGER, kind TEXT, text TEXT, media TEXT, aside TEXT);
CREATE TABLE posted (uri TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE words (uri TEXT, text TEXT, PRIMARY KEY (uri, text)) WITHOUT ROWID;
CREATE TABLE told (uri TEXT, passing INTEGER, digest BLOB, PRIMARY KEY (uri, passing, digest)) WITHOUT ROWID;
"""
_LISTINGS = {"album", "photo", "video", "profile"}
_PASSING = {"story", "archived"}
MOST_WORDS = 16
"""Captions of one photo. Whoever lists more of them wants to keep us busy."""


def is_listing(entry: RawPost) -> bool:
    """Whether an entry only lists a medium, which a post may hold as well."""
    return entry.kind in _LISTINGS


def is_passing(entry: RawPost) -> bool:
    """Whether an entry was shown for a while only. What stays is told without a look at it, as it may be left out later."""
    return entry.kind in _PASSING


class Entries:
    """What an export lists, who posts which medium, and what was told of it."""

    def __init__(self) -> None:
        self._base = sqlite3.connect("")
        self._base.executescript(_TABLES)

    def close(self) -> None:
        """Remove the temporary file."""
        self._base.close()

    def add(self, entry: RawPost) -> None:
        """Take an entry in. All have to be, before any is told."""
        media = json.dumps([(medium.uri, medium.text) for medium in entry.media])
        aside = json.dumps([entry.links, entry.shares, entry.unknown_attachments, entry.unknown_label])
        row = (entry.timestamp, is_listing(entry), entry.kind, entry.text, media, aside)
        self._base.execute("INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?)", row)
        if is_listing(entry):
            words = [(medium.uri, text) for medium in entry.media for text in (entry.text, medium.text) if text]
            self._base.executemany("INSERT OR IGNORE INTO words VALUES (?, ?)", words)
        elif not is_passing(entry):
            self._base.executemany("INSERT OR IGNORE INTO posted VALUES (?)", [(medium.uri,) for medium in entry.media])

    def in_time(self) -> Iterator[RawPost]:
        """First in time first, then in an order that is the same for the same entries, with words before those without."""
        rows = self._base.execute("SELECT * FROM entry ORDER BY time, listing, kind, text = '', text, media, aside")
        for time, _, kind, text, media, aside in rows:
            links, shares, attachments, label = json.loads(aside)
            yield RawPost(
                kind=kind,
                text=text,
                timestamp=time,
                media=tuple(Medium(*medium) for medium in json.loads(media)),
                links=links,
                shares=shares,
                unknown_attachments=attachments,
                unknown_label=label,
            )

    def is_posted(self, uri: str) -> bool:
        """Whether a post that stays holds the medium, one that comes later included."""
        return self._base.execute("SELECT 1 FROM posted WHERE uri = ?", (uri,)).fetchone() is not None

    def take_words(self, uri: str) -> list[str]:
        """What listings say of the medium, in alphabetical order. Who asks first is to tell it: nobody gets it again."""
        found = self._base.execute("SELECT text FROM words WHERE uri = ? ORDER BY text LIMIT ?", (uri, MOST_WORDS)).fetchall()
        self._base.execute("DELETE FROM words WHERE uri = ?", (uri,))
        return [text for (text,) in found]

    def tell(self, uri: str, text: str, *, passing: bool) -> None:
        """Remember that the medium was told with this text."""
        self._base.execute("INSERT OR IGNORE INTO told VALUES (?, ?, ?)", (uri, passing, _digest(text)))

    def is_told(self, uri: str, text: str = "", *, passing: bool) -> bool:
        """Whether the medium was told with this text; without a text, whether it was told at all."""
        found = self._base.execute(
            "SELECT 1 FROM told WHERE uri = ? AND passing = ? AND (digest = ? OR ?)", (uri, passing, _digest(text), not text)
        )
        return found.fetchone() is not None


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
