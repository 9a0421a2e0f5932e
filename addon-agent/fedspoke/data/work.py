"""What a run has done so far, in a database that the next run goes on with when this one is interrupted.

It keeps what takes long: each post's cleaned text, and what each photo became. All else follows from these, is computed anew
each time, and so cannot depend on where an earlier run ended. A photo is in its file before it is noted here.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fedspoke.data.sealed import PLAIN, DamagedError, Store

_TABLES = """
CREATE TABLE made_of (key BLOB);
CREATE TABLE posts (number INTEGER PRIMARY KEY, post BLOB);
CREATE TABLE photos (uri TEXT PRIMARY KEY, picture BLOB) WITHOUT ROWID;
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

    def __init__(self, connection: sqlite3.Connection, key: str, store: Store) -> None:
        self._connection, self._key, self._store = connection, key, store

    @classmethod
    @contextmanager
    def open(cls, path: Path, key: str, store: Store = PLAIN) -> Iterator["Work"]:
        """What an earlier run under the same key has done, or nothing; of a store that seals, each row is sealed."""
        work = cls._continued(path, key, store) or cls._begun(path, key, store)
        with closing(work):
            yield work

    def close(self) -> None:
        """What was added stays."""
        self._connection.close()

    @classmethod
    def _continued(cls, path: Path, key: str, store: Store) -> "Work | None":
        if not path.is_file() or path.is_symlink():
            return None
        work = cls(sqlite3.connect(path, isolation_level=None), key, store)
        if work._is_whole():
            return work
        work.close()
        return None

    @classmethod
    def _begun(cls, path: Path, key: str, store: Store) -> "Work":
        _remove(path)
        work = cls(sqlite3.connect(path, isolation_level=None), key, store)
        _set(work._connection)
        work._connection.executescript(_TABLES)
        work._connection.execute("INSERT INTO made_of VALUES (?)", (work._sealed("key", key),))
        return work

    def posts_done(self) -> int:
        """How many posts were added."""
        return self._count("SELECT count(*) FROM posts")

    def add_post(self, number: int, post: CleanPost) -> None:
        """Posts are numbered from 0, in the order of time."""
        self._connection.execute("INSERT INTO posts VALUES (?, ?)", (number, self._sealed(f"post {number}", asdict(post))))

    def posts(self) -> Iterator[CleanPost]:
        """All posts, in the order of their numbers."""
        for number, row in self._connection.execute("SELECT * FROM posts ORDER BY number"):
            post = self._unsealed(f"post {number}", row)
            yield CleanPost(**post | {name: tuple(post[name]) for name in ("images", "changed")})

    def photos(self) -> int:
        """How many photos the posts that stay have, if none is listed twice."""
        return sum(len(post.images) for post in self.posts() if post.dropped is None)

    def photos_done(self) -> int:
        """How many photos were added."""
        return self._count("SELECT count(*) FROM photos")

    def photos_missing(self) -> Iterator[str]:
        """The photos of posts that stay, as the export names them and in its order, less those that were added."""
        for post in self.posts():
            for uri in post.images if post.dropped is None else ():
                if self._photo(uri) is None:
                    yield uri

    def add_photo(self, uri: str, picture: Picture | None) -> None:
        """A photo's picture, which is on the disk; None when it is broken."""
        name = self._store.hidden(uri)
        row = [uri, picture.name, f"{picture.look:x}"] if picture else [uri, None, None]
        self._connection.execute("INSERT OR REPLACE INTO photos VALUES (?, ?)", (name, self._sealed(f"photo {name}", row)))

    def photo(self, uri: str) -> Picture | None:
        """What a photo became."""
        row = self._photo(uri)
        return _picture(row) if row else None

    def pictures(self) -> Iterator[tuple[str, Picture]]:
        """All photos that are not broken."""
        for name, sealed in self._connection.execute("SELECT * FROM photos"):
            row = self._unsealed(f"photo {name}", sealed)
            if picture := _picture(row):
                yield row[0], picture

    def forget(self, uri: str) -> None:
        """A photo is to be made again."""
        self._connection.execute("DELETE FROM photos WHERE uri = ?", (self._store.hidden(uri),))

    def _photo(self, uri: str) -> list[Any] | None:
        name = self._store.hidden(uri)
        found = self._connection.execute("SELECT picture FROM photos WHERE uri = ?", (name,)).fetchone()
        return self._unsealed(f"photo {name}", found[0]) if found else None

    def _is_whole(self) -> bool:
        """Whether this is what a run under the same key has left, and no row of it is damaged or gone from between others."""
        try:
            _set(self._connection)
            [(made_of,)] = self._connection.execute("SELECT key FROM made_of").fetchall()
            last = self._count("SELECT coalesce(max(number), -1) FROM posts")
            return (
                self._unsealed("key", made_of) == self._key
                and last + 1 == sum(1 for _ in self.posts())
                and all(picture.name for _, picture in self.pictures())
            )
        except (sqlite3.DatabaseError, DamagedError, ValueError, TypeError):  # cut off before it began, or damaged
            return False

    def _sealed(self, of: str, content: Any) -> bytes:
        return self._store.seal(json.dumps(content).encode(), f"{self._key} {of}")

    def _unsealed(self, of: str, row: bytes) -> Any:
        return json.loads(self._store.unseal(row, f"{self._key} {of}"))

    def _count(self, query: str) -> int:
        return int(self._connection.execute(query).fetchone()[0])


def _picture(row: list[Any]) -> Picture | None:
    return Picture(row[1], int(row[2], 16)) if row[1] else None


def _set(connection: sqlite3.Connection) -> None:
    # Ours alone, so that no shared memory is needed, which a network disk has not; temporary tables must not go to /tmp.
    for setting in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = NORMAL", "temp_store = MEMORY"):
        connection.execute(f"PRAGMA {setting}")


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
