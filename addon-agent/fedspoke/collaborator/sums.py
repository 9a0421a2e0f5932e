"""A model in a folder is what whoever put it there said, by `SHA256SUMS`, as `sha256sum` writes and checks it; uploads bring it.

Once a volume, as 14 GB take their time; once a start where the volume cannot be written.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from fedspoke.api.errors import Refused
from fedspoke.api.files import SUMS
from fedspoke.collaborator import cached

_BOOK = ".checked"
_LINE = re.compile(r"([0-9a-f]{64}) [ *]([^/\0]+(?:/[^/\0]+)*)")


def check(folder: Path, patterns: Sequence[str]) -> None:
    """All files that it lists, and that it lists all that a model is read from; nothing where there is no `SHA256SUMS`.

    Raises:
        Refused: a file is not what it was to be, is not there, or is not listed.
    """
    if not (folder / SUMS).is_file():
        return
    said = dict(_lines(folder))
    here = {path.name for pattern in patterns for path in folder.glob(pattern)}
    if unlisted := sorted(here - said.keys()):
        raise Refused(f"{folder / SUMS} does not list {unlisted[0]}: write it anew once the folder is whole, `sha256sum *`")
    if missing := sorted(name for name in said if not (folder / name).is_file()):
        raise Refused(f"{folder} lacks {missing[0]}, which its {SUMS} lists: copy or upload the model again")
    with cached.Book(folder / _BOOK) as book:
        for name, digest in said.items():
            if not book.has(folder / name, digest):
                raise Refused(f"{folder / name} is not the file that {SUMS} lists: it is damaged; copy or upload the model again")


def _lines(folder: Path) -> Iterator[tuple[str, str]]:
    """Name and digest of each file."""
    for number, line in enumerate((folder / SUMS).read_text(errors="replace").splitlines(), 1):
        found = _LINE.fullmatch(line)
        if found is None or ".." in Path(found[2]).parts:
            raise Refused(f"{folder / SUMS} is not as `sha256sum` writes it, in line {number}")
        yield found[2], found[1]
