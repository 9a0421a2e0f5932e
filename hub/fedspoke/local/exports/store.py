"""Where an export's files go: a folder, a zip, or several zips among which they are spread."""

import zipfile
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

from fedspoke.local.exports.file import File

_MIDNIGHT = (2026, 1, 1, 0, 0, 0)  # a zip notes times; the same export is to have the same bytes


def folder(files: Iterable[File], path: Path) -> None:
    """Write the files into a folder."""
    made: set[Path] = set()
    for file in files:
        target = path / file.name
        if target.parent not in made:
            target.parent.mkdir(parents=True, exist_ok=True)
            made.add(target.parent)
        target.write_bytes(file.content)


def zips(files: Iterable[File], paths: list[Path]) -> None:
    """Write the files into these zips in turn, the documents into the first."""
    with ExitStack() as stack:
        parts = [stack.enter_context(zipfile.ZipFile(path, "w")) for path in paths]
        for number, file in enumerate(files):
            document = file.name.endswith((".json", ".html"))
            entry = zipfile.ZipInfo(file.name, _MIDNIGHT)
            entry.compress_type = zipfile.ZIP_DEFLATED if document else zipfile.ZIP_STORED
            parts[0 if document else number % len(parts)].writestr(entry, file.content)
