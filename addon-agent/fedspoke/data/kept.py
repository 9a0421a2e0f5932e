"""What is among the records so far, on the disk, since it grows with the export."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from fedspoke.data.cleaning.near import Seen
from fedspoke.data.sealed import PLAIN, Store

_TABLES = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA temp_store = MEMORY;
CREATE TABLE records (id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE images (name TEXT PRIMARY KEY) WITHOUT ROWID;
BEGIN;
"""


class Kept:
    """The ids of records, the names of their photos, and what earlier ones say and look like (`seen`)."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.seen = Seen(connection)

    @classmethod
    @contextmanager
    def open(cls, path: Path, store: Store = PLAIN) -> Iterator["Kept"]:
        """Nothing is kept yet: nobody goes on with this, as it takes seconds to make anew.

        It tells of texts and looks what is compared. Where that is to be sealed it is on no disk, but in memory.
        """
        path.unlink(missing_ok=True)
        with closing(sqlite3.connect(":memory:" if store.key else path, isolation_level=None)) as connection:
            connection.executescript(_TABLES)
            yield cls(connection)

    def add_record(self, id: str) -> bool:  # noqa: A002  the record's own word
        """Whether it is new."""
        return self._connection.execute("INSERT OR IGNORE INTO records VALUES (?)", (id,)).rowcount == 1

    def add_image(self, name: str) -> bool:
        """Whether it is new."""
        return self._connection.execute("INSERT OR IGNORE INTO images VALUES (?)", (name,)).rowcount == 1

    def has_image(self, name: str) -> bool:
        """Whether a record names it."""
        return self._connection.execute("SELECT 1 FROM images WHERE name = ?", (name,)).fetchone() is not None
