"""A crew's decisions on disk, one a line, so that nobody is asked twice, and how many requests were sent for them and in vain;
and the owner's word, which goes before them.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from fedspoke.api import files
from fedspoke.collaborator.curation import Decision

FILE = "curation.jsonl"
REQUESTS = "curation-requests"


class Decisions:
    """curation.jsonl of a collaborator's output. A person may read it, or remove lines to have them asked anew."""

    def __init__(self, output: Path, model: str, prompt: str) -> None:
        """Those that this model made of this prompt are known again."""
        self._file = output / FILE
        found = list(_lines(self._file))
        self._sent = output / REQUESTS
        self.requests = max(_number(self._sent), sum(it.requests for it in found))
        """Sent so far, answered or not, whoever was asked."""
        self._known = {it.id: it for it in found if (it.model, it.prompt) == (model, prompt)}

    def of(self, record: str) -> Decision | None:
        """What was decided of a record."""
        return self._known.get(record)

    def sending(self) -> None:
        """A request more, on disk before it is sent: one that fails has been asked of the endpoint, too."""
        files.replace(self._sent, str(self.requests + 1).encode())
        self.requests += 1

    def add(self, decision: Decision) -> None:
        """On disk before anything is done about it."""
        with self._file.open("ab") as file:
            if file.tell() and not _ends_whole(self._file):
                file.write(b"\n")  # what a power cut has left of a line stays a line of its own
            file.write(decision.model_dump_json(by_alias=True, exclude_none=True).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self._known[decision.id] = decision


@dataclass(frozen=True, slots=True)
class Overrules:
    """What the cluster's owner says of single records, by their ids, for good."""

    keep: frozenset[str] = frozenset()
    set_aside: frozenset[str] = frozenset()

    @classmethod
    def read(cls, folder: str) -> "Overrules":
        """From the files `keep` and `set-aside`; either or none is there."""
        return cls(*(_words(Path(folder) / name) if folder else frozenset() for name in ("keep", "set-aside")))

    def __contains__(self, record: str) -> bool:
        return record in self.keep or record in self.set_aside


NO_WORD = Overrules()


def _number(file: Path) -> int:
    try:
        return int(file.read_text())
    except FileNotFoundError:
        return 0


def _words(file: Path) -> frozenset[str]:
    try:
        return frozenset(file.read_text(errors="replace").split())
    except FileNotFoundError:
        return frozenset()


def _lines(file: Path) -> Iterator[Decision]:
    try:
        lines = file.read_bytes().splitlines()
    except FileNotFoundError:
        return
    for line in lines:
        try:
            yield Decision.model_validate_json(line)
        except ValidationError:  # torn, or another version's: asked anew
            continue


def _ends_whole(file: Path) -> bool:
    with file.open("rb") as reading:
        reading.seek(-1, os.SEEK_END)
        return reading.read(1) == b"\n"
