"""Where to find a zip's files by their names, at sixteen bytes a file: an export of any size can be looked up in."""

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator

from fedspoke.data.exports.files import UnusableError
from fedspoke.data.exports.names import MOST
from fedspoke.data.exports.zip_directory import Member

_BUCKETS = 4096
_HALF = 8  # bytes: a record is the beginning of a name's hash and the place
_MOST_FILES = 1_000_000  # 16 MB of index
_MOST_FOLDERS = 10_000


class Index:
    """The places of files in a central directory. It can be pickled.

    `posts` are the few that are asked for by a pattern, with their sizes, packed and unpacked. `odd` counts names that lead out
    of the zip or that no file can have, and those that come again.
    """

    def __init__(self, members: Iterable[tuple[int, Member]], posts: re.Pattern[str]) -> None:
        """Read them all.

        Raises:
            UnusableError: they are encrypted, or more than any export's.
        """
        self.odd: Counter[str] = Counter()
        self.posts: dict[str, tuple[int, int]] = {}
        self._secret = os.urandom(16)  # so that nobody can choose names which all meet in one bucket
        self._records = [bytearray() for _ in range(_BUCKETS)]
        self._folders: dict[tuple[str, ...], set[str]] = {}
        self._folders_left = _MOST_FOLDERS
        for number, (place, member) in enumerate(members):
            if number == _MOST_FILES:
                raise UnusableError(f"holds more than {_MOST_FILES:,} files, as no platform's export does")
            if member.encrypted:
                raise UnusableError("is encrypted; unpack it with its password and name the folder")
            parts = member.parts
            if parts is None:
                self.odd["unsafe_path"] += 1
                continue
            self._add_folders(parts if member.is_folder else parts[:-1])
            if not member.is_folder:
                name = "/".join(parts)
                self._add(name, place)
                if posts.fullmatch(name):
                    self.posts[name] = (member.compressed, member.size)
                    if len(self.posts) > MOST:
                        raise UnusableError(f"holds more than {MOST:,} files of posts, as no platform's export does")

    def folders(self, *above: str) -> set[str]:
        """The folders directly under the root, or under one of these."""
        return self._folders.get(above, set())

    def places(self, name: str) -> Iterator[int]:
        """Where the file may be. The last one comes first: it is what unpacking would leave of two that have one name."""
        key, records = self._key(name)
        for at in range(len(records) - 2 * _HALF, -1, -2 * _HALF):
            if records.startswith(key, at):
                yield int.from_bytes(records[at + _HALF : at + 2 * _HALF])

    def _add(self, name: str, place: int) -> None:
        key, records = self._key(name)
        if key in records:
            self.odd["repeated_name"] += 1
        records += key + place.to_bytes(_HALF)

    def _add_folders(self, folders: tuple[str, ...]) -> None:
        for depth, folder in enumerate(folders[:2]):
            above = folders[:depth]
            if folder not in self.folders(*above):
                if not self._folders_left:
                    return
                self._folders_left -= 1
                self._folders.setdefault(above, set()).add(folder)

    def _key(self, name: str) -> tuple[bytes, bytearray]:
        key = hashlib.blake2b(name.encode(errors="surrogateescape"), digest_size=_HALF, key=self._secret).digest()
        return key, self._records[int.from_bytes(key[:2]) % _BUCKETS]
