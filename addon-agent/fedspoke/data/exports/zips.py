"""A zip as the platform hands it out, read where it lies: nothing of it is ever unpacked to the disk."""

import errno
import hashlib
import io
import re
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from fedspoke.data.exports import zip_directory
from fedspoke.data.exports.files import UnusableError
from fedspoke.data.exports.names import arranged, inside, matcher, natural, possible, spellings
from fedspoke.data.exports.zip_content import METHODS, Content
from fedspoke.data.exports.zip_directory import Directory, Member
from fedspoke.data.exports.zip_index import Index

_RATIO = 100
"""Deflate makes a platform's JSON 10 to 30 times smaller; only what was made for it, 1000 times."""
_SMALL, _LARGEST = 64 << 20, 2 << 30  # bytes of posts: a hundred thousand, and more than anybody's


@dataclass(frozen=True, slots=True, kw_only=True)
class Zip:
    """The files of one export, by their name relative to `root`: nothing, or the folder that the export lies in with a `/`."""

    path: Path
    directory: Directory = field(repr=False)
    index: Index = field(repr=False)
    root: str = ""

    def __str__(self) -> str:
        return f"{self.path}/{self.root}".rstrip("/")

    @property
    def name(self) -> str:
        """What the folder in it is called; nothing if it is the zip itself."""
        return self.root.rstrip("/").rpartition("/")[2]

    def names(self, patterns: Iterable[str]) -> list[str]:
        """Files that match, in the order of the patterns; under each, `posts_2` before `posts_10`.

        Args:
            patterns: among those that the zip was opened with.

        Raises:
            UnusableError: they would unpack to more than any platform's.
        """
        found = arranged((name.removeprefix(self.root) for name in self.index.posts if name.startswith(self.root)), patterns)
        sizes = [self.index.posts[self.root + name] for name in found]
        packed = min(sum(packed for packed, _ in sizes), self.path.stat().st_size)
        unpacked = sum(unpacked for _, unpacked in sizes)
        if unpacked > min(_SMALL + _RATIO * packed, _LARGEST):
            raise UnusableError(f"would unpack to {unpacked >> 20:,} MB of posts, more than any platform packs into its size")
        return found

    def folders(self) -> list[str]:
        """The folders directly under the root."""
        return sorted(self.index.folders(*self.root.split("/")[:-1]), key=natural)

    def below(self, folder: str) -> "Zip":
        """One of its folders as a root."""
        return replace(self, root=f"{self.root}{folder}/")

    def lacking(self, uri: str) -> str | None:
        """Why the file that a uri names cannot be had, or None when it can."""
        parts = inside(uri)
        if parts is None:
            return "unsafe_path"
        try:
            with self.path.open("rb") as file:
                member = self._member(file, parts)
        except OSError:
            return "missing_media"
        return _closed(member)

    def open(self, name: str) -> BinaryIO:
        """A file to read from, in pieces.

        Raises:
            OSError: it cannot be had; reading may raise one too.
        """
        with ExitStack() as opened_here:
            file = opened_here.enter_context(self.path.open("rb"))
            member = self._member(file, inside(name) or ())
            if _closed(member):
                raise OSError(errno.EPERM, "a file of the zip is a link, or packed in a way that no platform packs")
            content = io.BufferedReader(Content(file, member))
            opened_here.pop_all()  # whoever closes the content closes the zip
            return content

    def fingerprint(self) -> str:
        """Of the zip's name, size and time."""
        try:
            found = self.path.stat()
        except OSError:
            return "gone"
        return hashlib.sha256(f"{self.path.name} {found.st_size} {found.st_mtime_ns} {self.root}".encode()).hexdigest()

    def _member(self, file: BinaryIO, parts: tuple[str, ...]) -> Member:
        for spelled in spellings(parts) if possible(parts) else ():
            name = self.root + "/".join(spelled)
            for place in self.index.places(name):
                member = zip_directory.member(file, self.directory, place)
                if "/".join(member.parts or ()) == name:
                    return member
        raise OSError(errno.ENOENT, "there is no such file")


def _closed(member: Member) -> str | None:
    if member.is_link:
        return "unsafe_path"
    return None if member.method in METHODS else "unreadable_media"


def opened(path: Path, patterns: Iterable[str]) -> Zip:
    """A zip, with the places of its files.

    Args:
        path: the zip.
        patterns: of the names that will be asked for, in the zip or one folder further down.

    Raises:
        UnusableError: it is none, or encrypted, not whole, or made to do harm.
        OSError: it cannot be read.
    """
    posts = matcher([*patterns])
    with path.open("rb") as file:
        directory = zip_directory.directory(file)
        index = Index(zip_directory.members(file, directory), re.compile(rf"(?:[^/]*/)?(?:{posts.pattern})"))
    return Zip(path=path, directory=directory, index=index)
