"""Posts that say again what an earlier one said, found by their words and by their photo's look in bounded memory.

The same photo with other words stays: a picture may be spoken of in two ways. The same words with another photo stay: they are
about that one. What is left out is the pair that repeats in both, and words alone that were there before.

Words are compared by MinHash (Broder 1997; the threshold is that of Lee et al. 2022, "Deduplicating Training Data Makes Language
Models Better"), looks as `look` says. Of both, posts that are alike share a band, by which they are found.
"""

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from zlib import crc32

import numpy as np
from rensa import RMinHash

from fedspoke.data.cleaning import look as looking

ALIKE_WORDS = 0.8
"""Share of their pieces that two texts have in common."""

_PIECE = 5  # characters; about a word, and of use where no space divides words
_LONGEST = 2000  # characters compared

_HASHES, _BAND = 128, 8  # of texts with 0.8 in common 95 % share one of the 16 bands, with 0.9 all, with 0.5 only 6 %

_MOST_COMPARED = 20  # posts of one band: ten thousand black photos take no longer than twenty

_TABLES = (
    "CREATE TABLE IF NOT EXISTS near_post (post INTEGER PRIMARY KEY, words BLOB NOT NULL, look BLOB)",
    "CREATE TABLE IF NOT EXISTS near_band (band BLOB, post INTEGER, PRIMARY KEY (band, post)) WITHOUT ROWID",
)
_SHARING = "SELECT words, look FROM near_band JOIN near_post USING (post) WHERE band = ? ORDER BY post LIMIT ?"


class Seen:
    """What was kept so far, in tables of a database, as it grows with the export (about 2 kB a record).

    It writes in the connection's open transaction: whoever commits a record commits what is remembered of it at once.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        for table in _TABLES:
            connection.execute(table)

    def repeats(self, text: str, look: int | None, without: Collection[str] = ()) -> str | None:
        """The rule by which a record is left out as a near-duplicate of an earlier one; None when it is new, and remembered.

        Records must come in the order of time: of those that are alike the first stays.

        Args:
            text: cleaned.
            look: of its photo; None without one.
            without: rules that are switched off.
        """
        rule = "near_texts" if look is None else "near_photos"
        words = _minhash(text)
        said, shown = list(_bands(words)), [] if look is None else list(looking.bands(look))
        if rule not in without and any(_alike_words(words, earlier) for earlier in self._candidates(shown or said, look)):
            return rule
        packed = None if look is None else look.to_bytes(looking.BYTES)
        post = self._connection.execute("INSERT INTO near_post (words, look) VALUES (?, ?)", (words, packed)).lastrowid
        self._connection.executemany("INSERT INTO near_band VALUES (?, ?)", [(band, post) for band in said + shown])
        return None

    def _candidates(self, bands: list[bytes], look: int | None) -> Iterator[bytes]:
        """Words of earlier posts; with a look, of those that look like it."""
        for band in bands:
            for words, other in self._connection.execute(_SHARING, (band, _MOST_COMPARED)):
                if look is None or looking.alike(look, int.from_bytes(other)):
                    yield words


def unlike(looks: Sequence[int]) -> list[int]:
    """Which photos of one post look like none before them, by their positions: of one that comes again the first."""
    first: list[int] = []
    for number, look in enumerate(looks):
        if not any(looking.alike(look, looks[earlier]) for earlier in first):
            first.append(number)
    return first


def _minhash(text: str) -> bytes:
    """128 numbers of 32 bits. Case, punctuation and space make no difference; another year or score makes another text."""
    plain = "".join(filter(str.isalnum, text[:_LONGEST].casefold())) or text[:_LONGEST]
    minhash = RMinHash(num_perm=_HASHES, seed=1)
    digits = f"{crc32(''.join(filter(str.isdigit, plain)).encode()):x}"
    minhash.update([digits + plain[start : start + _PIECE] for start in range(max(len(plain) - _PIECE, 0) + 1)])
    return b"".join(value.to_bytes(4) for value in minhash.digest())


def _alike_words(one: bytes, other: bytes) -> bool:
    same = np.count_nonzero(np.frombuffer(one, np.uint32) == np.frombuffer(other, np.uint32))
    return bool(same >= ALIKE_WORDS * _HASHES)


def _bands(words: bytes) -> Iterator[bytes]:
    size = 4 * _BAND
    for start in range(0, len(words), size):
        yield b"words" + start.to_bytes(2) + words[start : start + size]
