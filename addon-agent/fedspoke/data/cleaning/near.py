"""Posts that say again what an earlier one said: found by their words and by their photo's look, in bounded memory."""

import sqlite3
from collections.abc import Collection


class Seen:
    """What was kept so far, in tables of a database that an interrupted run opens again.

    It writes in the connection's open transaction, so that whoever commits a record commits what is remembered of it at once.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def repeats(self, text: str, look: int | None, without: Collection[str] = ()) -> str | None:
        """The rule by which a record is left out as a near-duplicate of an earlier one; None when it is new, and remembered.

        Records must come in the order of time: of those that are alike the first stays.

        Args:
            text: cleaned.
            look: of its photo; None without one.
            without: rules that are switched off.
        """
        return None
