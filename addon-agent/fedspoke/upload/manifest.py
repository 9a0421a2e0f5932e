"""What an upload consists of, as both ends say it: files by the names that they have in the volume, with size and digest.

The sender begins with a Manifest, a line of JSON. The receiver answers with Held, how much of each file it has from before, and
is sent the rest of each, one after the other; its last line is Stored. An Error may come at any time instead, and ends it.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from fedspoke.api.records import Digest, Record, Sentence

INBOX = ".incoming"
"""The folder of the volume that holds what is not whole yet."""
OUTBOX = ".outgoing"

_LONGEST = 4096


def _inside(name: str) -> str:
    parts = name.split("/")
    if len(name.encode(errors="replace")) > _LONGEST or any(not it or it in (".", "..") or "\0" in it for it in parts):
        raise ValueError("must be a path below the volume's folder")
    if parts[0] in (INBOX, OUTBOX):
        raise ValueError(f"must not be in {parts[0]}")
    return name


class File(Record):
    """One file."""

    name: Annotated[str, AfterValidator(_inside)]
    size: Annotated[int, Field(ge=0)]
    digest: Digest


class Manifest(Record):
    """All files of an upload."""

    files: Annotated[tuple[File, ...], Field(min_length=1)]

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(file.size for file in self.files)

    @property
    def digest(self) -> str:
        """By which two uploads differ."""
        return sha256(self.model_dump_json().encode()).hexdigest()


class Held(Record):
    """Bytes of each file that the receiver has."""

    held: Mapping[str, int]


class Stored(Record):
    """All is in its place."""

    stored: Digest


class Error(Record):
    """Why it ends here. What came so far is kept."""

    error: Sentence


def said(line: bytes, kind: type[Any]) -> Any:
    """What the other end has said, of the kind that it was to say, or an Error."""
    if line.startswith(b'{"error"'):
        return Error.model_validate_json(line)
    return kind.model_validate_json(line)
