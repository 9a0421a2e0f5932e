"""An export unpacked on disk. Nothing outside its folder is ever read, whatever its files say."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO


@dataclass(frozen=True, slots=True)
class Folder:
    """The files of one export, by their name relative to its root (an absolute path without links)."""

    root: Path

    def names(self, patterns: Iterable[str]) -> list[str]:
        """Files that match, in the order of the patterns; under each, `posts_2` before `posts_10`."""
        return [
            name
            for pattern in patterns
            for name in sorted((path.relative_to(self.root).as_posix() for path in self.root.glob(pattern)), key=_natural)
        ]

    def open(self, name: str) -> BinaryIO:
        """A file to read from.

        Raises:
            OSError: it cannot be had.
        """
        if reason := self.lacking(name):
            raise OSError(f"{name}: {reason}")
        return (self.root / name).open("rb")

    def lacking(self, uri: str) -> str | None:
        """Why the file that a uri names cannot be had, or None when it can.

        A uri is someone else's text: it may climb out by `..`, by a leading `/`, or through a symbolic link.
        """
        try:
            path = (self.root / uri).resolve()
            if not path.is_relative_to(self.root):
                return "unsafe_path"
            return None if path.is_file() else "missing_media"
        except (OSError, ValueError):  # a name that no file can have: too long, or with a NUL
            return "missing_media"


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(digits or 0), rest) for digits, rest in re.findall(r"(\d*)(\D*)", name)]
