"""A zip's central directory, read entry by entry: nothing is kept, however many files there are.

Python's own reader keeps about a kilobyte for each, and reads them all before the first can be asked for.
Format: PKWARE's APPNOTE.TXT 6.3.10, sections 4.3.7 to 4.3.16.
"""

import os
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from fedspoke.data.exports.files import UnusableError
from fedspoke.data.exports.names import inside, possible

_ENTRY = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_64 = struct.Struct("<4sLQL")
_LONGEST_COMMENT = 0xFFFF
_FULL = 0xFFFFFFFF  # the value is in the zip64 field

_ENCRYPTED = 0x1


@dataclass(frozen=True, slots=True)
class Directory:
    """Where the central directory lies, and how far every place in it is off, as other bytes may stand before a zip."""

    start: int
    size: int
    shift: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One file as the central directory describes it. `header` is where the file's own header begins."""

    raw_name: bytes
    method: int
    encrypted: bool
    crc: int
    compressed: int
    size: int
    header: int
    mode: int

    @property
    def name(self) -> str:
        """Of old, names were cp437; many tools wrote UTF-8 without saying so, which other texts hardly ever look like."""
        try:
            return self.raw_name.decode()
        except UnicodeDecodeError:
            return self.raw_name.decode("cp437")

    @property
    def parts(self) -> tuple[str, ...] | None:
        """The folders and the file that the name leads through; None when it leads out, or no file can have it."""
        parts = inside(self.name)
        return parts if parts is not None and possible(parts) else None

    @property
    def is_folder(self) -> bool:
        """A folder has an entry of its own, though it need not."""
        return self.raw_name.endswith((b"/", b"\\"))

    @property
    def is_link(self) -> bool:
        """Its content would be a name somewhere else."""
        return stat.S_ISLNK(self.mode)


def directory(file: BinaryIO) -> Directory:
    """Find the central directory from the zip's end.

    Raises:
        UnusableError: it has none, or is but a volume of one.
    """
    length = file.seek(0, os.SEEK_END)
    file.seek(max(0, length - _END.size - _LONGEST_COMMENT))
    tail = file.read()
    at = tail.rfind(b"PK\5\6", 0, max(0, len(tail) - _END.size + 4))
    if at < 0:
        file.seek(0)
        if file.read(4) == b"PK\3\4":
            raise UnusableError("is not whole: its end is missing, as when a download was cut off; download it again")
        raise UnusableError("is no zip; name the zip as it was downloaded, or the folder that it was unpacked into")
    _, disk, first_disk, _, _, size, start, _ = _END.unpack_from(tail, at)
    end = length - len(tail) + at
    if at >= _LOCATOR_64.size and tail.startswith(b"PK\6\7", at - _LOCATOR_64.size):
        end -= _LOCATOR_64.size + _END_64.size
        file.seek(max(0, end))
        record = file.read(_END_64.size)
        if len(record) < _END_64.size or not record.startswith(b"PK\6\6"):
            raise UnusableError("is damaged; download it again")
        _, _, _, _, disk, first_disk, _, _, size, start = _END_64.unpack(record)
    if disk or first_disk:
        raise UnusableError("is one volume of a split zip; put the volumes together and name the whole")
    shift = end - size - start
    if shift < 0:
        raise UnusableError("is damaged: its beginning is missing; download it again")
    return Directory(start + shift, size, shift)


def members(file: BinaryIO, where: Directory) -> Iterator[tuple[int, Member]]:
    """Every entry in turn, with its place. The file must not be moved meanwhile.

    Raises:
        UnusableError: the directory is damaged.
    """
    place = file.seek(where.start)
    while place < where.start + where.size:
        yield place, _member(file, where)
        place = file.tell()


def member(file: BinaryIO, where: Directory, place: int) -> Member:
    """The entry at a place that `members` gave.

    Raises:
        UnusableError: the directory is damaged.
    """
    file.seek(place)
    return _member(file, where)


def _member(file: BinaryIO, where: Directory) -> Member:
    fixed = file.read(_ENTRY.size)
    if len(fixed) < _ENTRY.size or not fixed.startswith(b"PK\1\2"):
        raise UnusableError("is damaged; download it again")
    values = _ENTRY.unpack(fixed)
    flags, method, crc, compressed, size, named, extended, commented, external, header = *values[3:5], *values[7:13], *values[15:]
    raw_name, extra = file.read(named), file.read(extended)
    file.seek(commented, os.SEEK_CUR)
    large = iter(_zip64(extra))
    size, compressed, header = (next(large, value) if value == _FULL else value for value in (size, compressed, header))
    return Member(
        raw_name=raw_name,
        method=method,
        encrypted=bool(flags & _ENCRYPTED),
        crc=crc,
        compressed=compressed,
        size=size,
        header=header + where.shift,
        mode=external >> 16,
    )


def _zip64(extra: bytes) -> list[int]:
    """The values too large for the entry, in its order."""
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<2H", extra)
        if kind == 1:
            content = extra[4 : 4 + length]
            return [value for (value,) in struct.iter_unpack("<Q", content[: len(content) // 8 * 8])]
        extra = extra[4 + length :]
    return []
