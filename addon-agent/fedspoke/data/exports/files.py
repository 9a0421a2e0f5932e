"""The files of an export, wherever they lie: in a folder, in a zip, in several parts of one."""

from collections.abc import Iterable
from typing import BinaryIO, Protocol


class UnusableError(OSError):
    """Why a zip or a folder cannot be an export; the text goes on where its subject was named."""


class Files(Protocol):
    """Files by their name relative to the export's root, as the export's own JSON names them. It can be pickled."""

    def names(self, patterns: Iterable[str]) -> list[str]:
        """Files that match, in the order of the patterns; under each, `posts_2` before `posts_10`.

        Args:
            patterns: names in which the last part may hold `*`, which is anything but a hidden file's name.

        Raises:
            UnusableError: they are more than any platform's.
            OSError: the root cannot be read.
        """
        ...

    def lacking(self, uri: str) -> str | None:
        """Why the file that a uri names cannot be had (a reason to count), or None when it can. Nothing outside is looked at."""
        ...

    def open(self, name: str) -> BinaryIO:
        """A file to read from, in pieces.

        Raises:
            OSError: it cannot be had; reading may raise one too.
        """
        ...

    def fingerprint(self) -> str:
        """The same as long as no file is added, removed or changed, as far as sizes and times tell."""
        ...
