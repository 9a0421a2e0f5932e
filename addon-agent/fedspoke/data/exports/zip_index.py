"""Where to find a zip's files by their names, at sixteen bytes a file: an export of any size can be looked up in."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator

from fedspoke.data.exports.files import UnusableError
from fedspoke.data.exports.zip_directory import Member

_BUCKETS = 4096
_HALF = 8  # bytes: a record is the beginning of a name's hash and the place
_MOST_FILES = 2_000_000  # 32 MB of index
_MOST_FOLDERS = 10_000


class Index:
    """The places of files in a central directory, and the names of the uppermost folders. It can be pickled."""

    def __init__(self, members: Iterable[tuple[int, Member]]) -> None:
        """Read them all. `odd` counts names that lead out of the zip or that no file can have, and those that come again.

        Raises:
            UnusableError: they are encrypted, or more than any export's.
        """
        self.odd: Counter[str] = Counter()
        self._records = [bytearray() for _ in range(_BUCKETS)]
        self._folders: set[tuple[str, ...]] = set()
        for number, (place, member) in enumerate(members):
            if number == _MOST_FILES:
                raise UnusableError(f"holds more than {_MOST_FILES:,} files, as no platform's export does")
            if member.encrypted:
                raise UnusableError("is encrypted; unpack it with its password and name the folder")
            parts = member.parts
            if parts is None:
                self.odd["unsafe_path"] += 1
                continue
            folders = parts if member.is_folder else parts[:-1]
            if len(self._folders) < _MOST_FOLDERS:
                self._folders |= {folders[:depth] for depth in (1, 2) if len(folders) >= depth}
            if not member.is_folder:
                key, records = self._key("/".join(parts))
                self.odd["repeated_name"] += key in records
                records += key + place.to_bytes(_HALF)

    def folders(self, *above: str) -> set[str]:
        """The folders directly under the root, or under one of these."""
        return {folder[-1] for folder in self._folders if folder[:-1] == above}

    def places(self, name: str) -> Iterator[int]:
        """Where the file may be. The last one comes first: it is what unpacking would leave of two that have one name."""
        key, records = self._key(name)
        for at in range(len(records) - 2 * _HALF, -1, -2 * _HALF):
            if records.startswith(key, at):
                yield int.from_bytes(records[at + _HALF : at + 2 * _HALF])

    def _key(self, name: str) -> tuple[bytes, bytearray]:
        key = hashlib.blake2b(name.encode(errors="surrogateescape"), digest_size=_HALF).digest()
        return key, self._records[int.from_bytes(key[:2]) % _BUCKETS]
