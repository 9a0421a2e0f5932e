"""An export that the platform split: the JSON often lies in one part, the photos that it names in the others."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import BinaryIO

from fedspoke.data.exports.files import Files
from fedspoke.data.exports.names import arranged


@dataclass(frozen=True, slots=True)
class Parts:
    """The files of all parts as if they lay together; of two with one name, the earlier part's.

    `posts` are the parts that hold posts; what only lies `beside` them is asked for photos.
    """

    posts: tuple[Files, ...]
    beside: tuple[Files, ...]

    def names(self, patterns: Iterable[str]) -> list[str]:
        """Files that match, in the order of the patterns; under each, `posts_2` before `posts_10`."""
        patterns = tuple(patterns)
        return arranged({name for part in self.posts for name in part.names(patterns)}, patterns)

    def lacking(self, uri: str) -> str | None:
        """Why the file that a uri names cannot be had, or None when one part has it."""
        reasons = [part.lacking(uri) for part in self._all]
        return None if None in reasons else next((reason for reason in reasons if reason != "missing_media"), "missing_media")

    def open(self, name: str) -> BinaryIO:
        """A file to read from.

        Raises:
            OSError: no part has it.
        """
        *others, last = self._all
        return next((part for part in others if part.lacking(name) is None), last).open(name)

    def fingerprint(self) -> str:
        """Of all parts."""
        return hashlib.sha256("".join(sorted(part.fingerprint() for part in self._all)).encode()).hexdigest()

    @property
    def _all(self) -> tuple[Files, ...]:
        return self.posts + self.beside


def contradict(parts: Sequence[Files], patterns: Sequence[str]) -> bool:
    """Whether these are parts of different exports: of two layouts, or with different files of one name.

    Raises:
        OSError: one cannot be read.
    """
    names = [set(part.names(patterns)) for part in parts] if parts[1:] else []
    layouts = [{name.split("/")[0] for name in found if "activity" in name.split("/")[0]} for found in names]
    return any(
        layouts[one] != layouts[other] or any(not _same(parts[one], parts[other], name) for name in names[one] & names[other])
        for one, other in combinations(range(len(names)), 2)
    )


def _same(one: Files, other: Files, name: str) -> bool:
    with one.open(name) as left, other.open(name) as right:
        while (chunk := left.read(1 << 16)) == right.read(1 << 16):
            if not chunk:
                return True
    return False
