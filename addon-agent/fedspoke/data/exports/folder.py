"""An export unpacked on disk. Nothing outside its folder is ever read, whatever its files say."""

import errno
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from fedspoke.data.exports.files import UnusableError
from fedspoke.data.exports.names import MOST, arranged, inside, matcher, natural, possible, spellings

_FOLDER = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_STEP = _FOLDER | os.O_PATH
_ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}
_REASONS = {  # a link is ELOOP as a file and ENOTDIR as a folder
    **dict.fromkeys((errno.EPERM, errno.ELOOP, errno.ENOTDIR), "unsafe_path"),
    **dict.fromkeys((errno.EACCES, errno.EIO, errno.EMFILE, errno.ENFILE), "unreadable_media"),
}
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a pipe would wait for a writer otherwise


@dataclass(frozen=True, slots=True)
class Folder:
    """The files of one export, by their name relative to its root (an absolute path without links)."""

    root: Path

    def __str__(self) -> str:
        return str(self.root)

    @property
    def name(self) -> str:
        """What its owner called it."""
        return self.root.name

    def names(self, patterns: Iterable[str]) -> list[str]:
        """Files that match, in the order of the patterns; under each, `posts_2` before `posts_10`.

        Raises:
            UnusableError: they are more than any platform's.
        """
        patterns = tuple(patterns)
        fitting = matcher(patterns)
        folders = dict.fromkeys(pattern[: pattern.rfind("/") + 1] for pattern in patterns)
        listed = (folder + name for folder in folders for name in self._listed(folder))
        found = list(islice(filter(fitting.fullmatch, listed), MOST + 1))
        if len(found) > MOST:
            raise UnusableError(f"holds more than {MOST:,} files of posts, as no platform's export does")
        return arranged(found, patterns)

    def folders(self) -> list[str]:
        """The folders directly under the root; a link is none.

        Raises:
            OSError: the root cannot be listed.
        """
        with os.scandir(self.root) as found:
            names = [entry.name for entry in found if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".")]
        return sorted(names, key=natural)

    def zips(self) -> list[Path]:
        """The zips directly under the root, by their ending.

        Raises:
            OSError: the root cannot be listed.
        """
        with os.scandir(self.root) as found:
            names = [entry.name for entry in found if entry.is_file(follow_symlinks=False)]
        return [self.root / name for name in sorted(names, key=natural) if name.lower().endswith(".zip") and name[0] != "."]

    def below(self, folder: str) -> "Folder":
        """One of its folders as a root."""
        return Folder(self.root / folder)

    def open(self, name: str) -> BinaryIO:
        """A regular file to read from.

        Raises:
            OSError: there is none, or it may not be read.
        """
        parts = inside(name)
        if parts is None:
            raise OSError(errno.EPERM, "the name leads out of the export")
        if not possible(parts):
            raise OSError(errno.ENOENT, "no file can have this name")
        descriptor = self._found(parts)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(errno.ENOENT, "it is no regular file")
        return os.fdopen(descriptor, "rb")

    def lacking(self, uri: str) -> str | None:
        """Why the file that a uri names cannot be had, or None when it can."""
        try:
            self.open(uri).close()
        except OSError as error:
            return _REASONS.get(error.errno or 0, "missing_media")
        return None

    def fingerprint(self) -> str:
        """Of all names, sizes and times below the root, in whatever order they are listed: their hashes are added up."""
        total = sum(int.from_bytes(hashlib.sha256(line.encode(errors="surrogateescape")).digest()) for line in _stamps(self.root))
        return f"{total % 2**256:064x}"

    def _listed(self, folder: str) -> Iterator[str]:
        try:
            descriptor = self._descriptor((*folder.split("/")[:-1], "."), _FOLDER)
        except OSError as error:
            if error.errno in _ABSENT and self.root.is_dir():  # most layouts' folders are not there
                return
            raise
        try:
            with os.scandir(descriptor) as found:
                yield from (entry.name for entry in found)
        finally:
            os.close(descriptor)

    def _found(self, parts: tuple[str, ...]) -> int:
        for spelled in spellings(parts):
            with suppress(FileNotFoundError):
                return self._descriptor(spelled, _FILE)
        raise OSError(errno.ENOENT, "there is no such file")

    def _descriptor(self, parts: Sequence[str], flags: int) -> int:
        """Opened folder by folder, so that no link is followed, not even one that appears meanwhile."""
        folder = os.open(self.root, _STEP)
        try:
            for part in parts[:-1]:
                below = os.open(part, _STEP, dir_fd=folder)
                os.close(folder)
                folder = below
            return os.open(parts[-1], flags, dir_fd=folder)
        finally:
            os.close(folder)


def _stamps(root: Path) -> Iterator[str]:
    """A line for each file. Only folders wait in memory, since one of them may hold any number of files."""
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        with suppress(OSError), os.scandir(folder) as found:  # gone meanwhile, or not to be read
            for entry in found:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(Path(entry.path))
                else:
                    stamp = entry.stat(follow_symlinks=False)
                    yield f"{os.path.relpath(entry.path, root)} {stamp.st_size} {stamp.st_mtime_ns}"
