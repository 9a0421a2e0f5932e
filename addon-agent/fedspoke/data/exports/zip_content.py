"""What is in one file of a zip, unpacked while it is read, and never more than the zip said there would be."""

import io
import struct
import zlib
from typing import TYPE_CHECKING, BinaryIO

from fedspoke.data.exports.zip_directory import Member

if TYPE_CHECKING:
    from typing_extensions import Buffer

_HEADER = struct.Struct("<4s5H3L2H")
_CHUNK = 1 << 16
_FARTHEST = 1 << 62  # no file reaches there, and no seek beyond
_STORED, _DEFLATED = 0, 8
METHODS = {_STORED, _DEFLATED}


class Content(io.RawIOBase):
    """A file of a zip. It owns the open zip that it reads from.

    Raises:
        OSError: the zip contradicts itself, here or while reading.
    """

    def __init__(self, file: BinaryIO, member: Member) -> None:
        super().__init__()
        self._file = file
        self._left, self._crc, self._expected = member.size, 0, member.crc
        self._compressed = member.compressed
        self._inflate = zlib.decompressobj(-zlib.MAX_WBITS) if member.method == _DEFLATED else None
        file.seek(min(member.header, _FARTHEST))
        header = file.read(_HEADER.size)
        if len(header) < _HEADER.size or not header.startswith(b"PK\3\4"):
            raise OSError("a file of the zip is not where it should be")
        *_, named, extended = _HEADER.unpack(header)
        # A directory that calls another file's content by a second name is how one file is made to unpack a million times.
        if file.read(named) != member.raw_name:
            raise OSError("a file of the zip has two names")
        file.seek(extended, io.SEEK_CUR)

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: "Buffer", /) -> int:
        """Some of what is left; 0 at the end, once the checksum was found right."""
        view = memoryview(buffer).cast("B")
        data = self._read(min(len(view), self._left))
        self._left -= len(data)
        self._crc = zlib.crc32(data, self._crc)
        if not self._left and self._crc != self._expected:
            raise OSError("a file of the zip is damaged")
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Close the zip as well."""
        self._file.close()
        super().close()

    def _read(self, limit: int) -> bytes:
        if not limit:
            return b""
        data = self._packed(limit) if self._inflate is None else self._unpacked(self._inflate, limit)
        if not data:
            raise OSError("a file of the zip is shorter than it should be")
        return data

    def _unpacked(self, inflate: "zlib._Decompress", limit: int) -> bytes:
        data, packed = b"", b"-"
        try:
            while not data and packed and not inflate.eof:
                packed = inflate.unconsumed_tail or self._packed(_CHUNK)
                data = inflate.decompress(packed, limit)  # without any packed bytes: what zlib still holds back
        except zlib.error:
            raise OSError("a file of the zip is damaged") from None
        return data

    def _packed(self, limit: int) -> bytes:
        data = self._file.read(min(limit, self._compressed))
        self._compressed -= len(data)
        return data
