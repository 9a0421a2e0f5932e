"""What a run has done so far, in a database that the next run goes on with when this one is interrupted.

It keeps what takes long: each post's cleaned text, and what each photo became. All else follows from these, is computed anew
each time, and so cannot depend on where an earlier run ended. A photo is in its file before it is noted here.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

_TABLES = """
CREATE TABLE made_of (key TEXT);
CREATE TABLE posts (
    number INTEGER PRIMARY KEY, kind TEXT, images TEXT, time INTEGER, text TEXT, changed TEXT, dropped TEXT, language TEXT
);
CREATE TABLE photos (uri TEXT PRIMARY KEY, name TEXT, look TEXT) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanPost:
    """A post with its text cleaned: `changed` by which rules, `dropped` by which rule or reason it is left out."""

    kind: str
    images: tuple[str, ...]
    timestamp: int | None
    text: str
    changed: tuple[str, ...] = ()
    dropped: str | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """What a photo became: a file's name, and how it looks."""

    name: str
    look: int


class Work:
    """The database. Each call that adds is a transaction of its own."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @classmethod
    @contextmanager
    def open(cls, path: Path, key: str) -> Iterator["Work"]:
        """What an earlier run under the same key has done, or nothing."""
        connection = _continued(path, key) or _begun(path, key)
        with closing(connection):
            yield cls(connection)

    def posts_done(self) -> int:
        """How many posts were added."""
        return self._count("SELECT count(*) FROM posts")

    def add_post(self, number: int, post: CleanPost) -> None:
        """Posts are numbered from 0, in the order of time."""
        images, changed = json.dumps(post.images), json.dumps(post.changed)
        row = (number, post.kind, images, post.timestamp, post.text, changed, post.dropped, post.language)
        self._connection.execute("INSERT INTO posts VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)

    def posts(self) -> Iterator[CleanPost]:
        """All posts, in the order of their numbers."""
        rows = self._connection.execute("SELECT * FROM posts ORDER BY number")
        for _, kind, images, timestamp, text, changed, dropped, language in rows:
            yield CleanPost(
                kind=kind,
                images=tuple(json.loads(images)),
                timestamp=timestamp,
                text=text,
                changed=tuple(json.loads(changed)),
                dropped=dropped,
                language=language,
            )

    def photos(self) -> int:
        """How many photos the posts that stay have, if none is listed twice."""
        return self._count("SELECT coalesce(sum(json_array_length(images)), 0) FROM posts WHERE dropped IS NULL")

    def photos_done(self) -> int:
        """How many photos were added."""
        return self._count("SELECT count(*) FROM photos")

    def photos_missing(self) -> Iterator[str]:
        """The photos of posts that stay, as the export names them and in its order, less those that were added."""
        for (images,) in self._connection.execute("SELECT images FROM posts WHERE dropped IS NULL ORDER BY number"):
            for uri in json.loads(images):
                if self._connection.execute("SELECT 1 FROM photos WHERE uri = ?", (uri,)).fetchone() is None:
                    yield uri

    def add_photo(self, uri: str, picture: Picture | None) -> None:
        """A photo's picture, which is on the disk; None when it is broken."""
        row = (uri, picture.name, f"{picture.look:x}") if picture else (uri, None, None)
        self._connection.execute("INSERT OR REPLACE INTO photos VALUES (?, ?, ?)", row)

    def photo(self, uri: str) -> Picture | None:
        """What a photo became."""
        row = self._connection.execute("SELECT name, look FROM photos WHERE uri = ?", (uri,)).fetchone()
        return Picture(row[0], int(row[1], 16)) if row and row[0] else None

    def pictures(self) -> Iterator[tuple[str, Picture]]:
        """All photos that are not broken."""
        for uri, name, look in self._connection.execute("SELECT uri, name, look FROM photos WHERE name IS NOT NULL"):
            yield uri, Picture(name, int(look, 16))

    def forget(self, uri: str) -> None:
        """A photo is to be made again."""
        self._connection.execute("DELETE FROM photos WHERE uri = ?", (uri,))

    def _count(self, query: str) -> int:
        return int(self._connection.execute(query).fetchone()[0])


def _continued(path: Path, key: str) -> sqlite3.Connection | None:
    if not path.is_file() or path.is_symlink():
        return None
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        _set(connection)
        if connection.execute("SELECT key FROM made_of").fetchall() == [(key,)]:
            return connection
    except sqlite3.DatabaseError:  # cut off before it began, or damaged
        pass
    connection.close()
    return None


def _begun(path: Path, key: str) -> sqlite3.Connection:
    _remove(path)
    connection = sqlite3.connect(path, isolation_level=None)
    _set(connection)
    connection.executescript(_TABLES)
    connection.execute("INSERT INTO made_of VALUES (?)", (key,))
    return connection


def _set(connection: sqlite3.Connection) -> None:
    # Ours alone, so that no shared memory is needed, which a network disk has not; temporary tables must not go to /tmp.
    for setting in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = NORMAL", "temp_store = MEMORY"):
        connection.execute(f"PRAGMA {setting}")


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
