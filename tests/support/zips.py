"""Zips as platforms, people and attackers make them."""

import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

PHOTOS, JSON = (".jpg",), (".json",)


def packed(folder: Path, path: Path, *, below: str = "", only: tuple[str, ...] = ("",)) -> Path:
    """The files of a folder as a zip, one folder down if one is named, and only those with one of these endings."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for file in sorted(folder.rglob("*")):
            if file.is_file() and file.name.endswith(only):
                made.write(file, below + file.relative_to(folder).as_posix())
    return path


@dataclass(frozen=True, kw_only=True)
class Member:
    """A file of a zip in which anything may be untrue."""

    name: bytes
    content: bytes = b""
    deflated: bool = False
    size: int | None = None  # what the directory says, if not the truth
    crc: int | None = None
    mode: int = 0o100644
    flags: int = 0
    method: int | None = None
    content_of: int | None = None  # no content, but that of an earlier member, by its number


def crafted(path: Path, members: Iterable[Member], *, before: bytes = b"", after: bytes = b"") -> Path:
    """A zip written byte by byte."""
    body, directory = bytearray(), bytearray()
    starts: list[int] = []
    for member in members:
        squeeze = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
        data = squeeze.compress(member.content) + squeeze.flush() if member.deflated else member.content
        method = member.method if member.method is not None else 8 * member.deflated
        size = len(member.content) if member.size is None else member.size
        crc = zlib.crc32(member.content) if member.crc is None else member.crc
        fields = (member.flags, method, 0, 0, crc, len(data), size, len(member.name))
        starts.append(len(body) if member.content_of is None else starts[member.content_of])
        if member.content_of is None:
            body += struct.pack("<4s5H3L2H", b"PK\3\4", 20, *fields, 0) + member.name + data
        directory += struct.pack("<4s6H3L5H2L", b"PK\1\2", 0x314, 20, *fields, 0, 0, 0, 0, member.mode << 16, starts[-1])
        directory += member.name
    count = len(starts)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, len(directory), len(body), len(after))
    path.write_bytes(before + body + directory + end + after)
    return path


def plain(files: Mapping[str, bytes], path: Path) -> Path:
    """A zip of these files."""
    return crafted(path, [Member(name=name.encode(), content=content, deflated=True) for name, content in files.items()])
