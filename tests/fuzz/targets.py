"""What a fuzzer drives: everything that reads what a stranger may have made. Each target fails on any answer but a right one."""

import io
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from fedspoke.api.errors import Refused
from fedspoke.api.names import PLATFORMS
from fedspoke.data.cleaning.look import BYTES
from fedspoke.data.cleaning.photo import LONGEST_SIDE, BrokenPhotoError, photo
from fedspoke.data.cleaning.rules import clean_text
from fedspoke.data.exports.export import Export, find
from fedspoke.data.exports.merge import usable
from fedspoke.data.exports.search import JSON

_MOST_READ = 1 << 20  # bytes of one photo, so that a run tries much rather than reads long


@dataclass(frozen=True, slots=True)
class _OneFile:
    """An export of one file of posts; every photo that it names is there."""

    name: str
    content: bytes

    def names(self, patterns: Iterable[str]) -> list[str]:
        return [self.name]

    def folders(self) -> list[str]:
        return []

    def lacking(self, uri: str) -> str | None:
        return None

    def open(self, name: str) -> BinaryIO:
        return io.BytesIO(self.content)

    def fingerprint(self) -> str:
        return ""


def posts(data: bytes) -> None:
    """A file of posts: the first byte chooses which one of which platform's, the others are its content."""
    kinds = [(platform, pattern) for platform in PLATFORMS for pattern in JSON[platform]]
    platform, pattern = kinds[data[0] % len(kinds)] if data else kinds[0]
    _told(Export(platform=platform, files=_OneFile(pattern.replace("*", "_1"), data[1:])))


def archive(data: bytes) -> None:
    """A zip."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "export.zip"
        path.write_bytes(data)
        try:
            export = find([path])
        except Refused:
            return
        for uri in _told(export):
            try:
                with export.files.open(uri) as file:
                    file.read(_MOST_READ)
            except OSError:
                continue  # a damaged file is counted when its photo is decoded


def photograph(data: bytes) -> None:
    """A photo."""
    try:
        taken = photo(io.BytesIO(data))
    except BrokenPhotoError:
        return
    with Image.open(io.BytesIO(taken.jpeg)) as image:
        image.load()
        assert max(image.size) <= LONGEST_SIDE
        assert not image.getexif()
    assert 0 <= taken.look < 1 << 8 * BYTES


def words(data: bytes) -> None:
    """A text."""
    once = clean_text(data.decode(errors="ignore"))
    assert clean_text(once.text).text == once.text
    assert len(once.text.encode()) <= 4 * len(data) + 64


def _told(export: Export) -> list[str]:
    """The photos of an export's posts, which are all read."""
    skipped: Counter[str] = Counter()
    images: list[str] = []
    for post in usable(export.entries(skipped), export.files.lacking, skipped):
        assert post.text
        post.text.encode()
        images += post.images
    assert all(count > 0 for count in skipped.values())
    return images


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    "posts": posts,
    "archive": archive,
    "photograph": photograph,
    "words": words,
}
