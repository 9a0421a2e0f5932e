"""A model in a folder is what whoever put it there said, by `SHA256SUMS`, as `sha256sum` writes and checks it; uploads bring it.

Once a volume, as 14 GB take their time; once a start where the volume cannot be written.
"""

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from fedspoke.api.errors import Refused
from fedspoke.api.files import SUMS
from fedspoke.collaborator import cached

_BOOK = ".checked"
_LINE = re.compile(r"([0-9a-fA-F]{64}) [ *]([^\0]+)")


def check(folder: Path, patterns: Sequence[str]) -> None:
    """All files that it lists, and that it lists all that a model is read from; nothing where there is no `SHA256SUMS`.

    Raises:
        Refused: a file is not what it was to be, is not there, or is not listed.
    """
    if not (folder / SUMS).is_file():
        return
    said = listed((folder / SUMS).read_text(errors="replace"), str(folder / SUMS))
    said.pop(SUMS, None)  # `sha256sum * > SHA256SUMS` where there is one already lists what that held before
    here = {path.name for pattern in patterns for path in folder.glob(pattern)}
    if unlisted := sorted(here - said.keys()):
        raise Refused(f"{folder / SUMS} does not list {unlisted[0]}: write it anew once the folder is whole, `sha256sum *`")
    if missing := sorted(name for name in said if not (folder / name).is_file()):
        raise Refused(f"{folder} lacks {missing[0]}, which its {SUMS} lists: copy or upload the model again")
    with cached.Book(folder / _BOOK) as book:
        for name, digest in said.items():
            if not book.has(folder / name, digest):
                raise Refused(f"{folder / name} is not the file that {SUMS} lists: it is damaged; copy or upload the model again")


def listed(text: str, where: str) -> dict[str, str]:
    """The digest of each file, by its path: `name` for `./name`, and in small letters.

    Raises:
        Refused: a line is none of `sha256sum`'s, or names what lies outside the folder.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        said = _LINE.fullmatch(line.strip())
        path = PurePosixPath(said[2] if said else "")
        if said is None or not path.name or path.is_absolute() or ".." in path.parts:
            raise Refused(f"{where} is not as `sha256sum` writes it, in line {number}")
        found[str(path)] = said[1].lower()
    return found
