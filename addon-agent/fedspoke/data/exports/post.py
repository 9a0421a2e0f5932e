"""What a person posted: one entry as the platform lists it, and what can be learned from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["post", "story", "archived", "reel", "igtv", "note", "album", "photo", "video", "profile", "other"]
"""What an entry is. A `story` is a day's, an `archived` post was taken back from the profile by its owner; an `album`, `photo`,
`video` or `profile` entry lists a medium that a post may hold as well; `other` is what the platform itself calls that.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Files that list entries, and where in each of them which kind is found.

    `files` is a pattern of names relative to the export's root. `entries` tells by ijson's prefix (`item`: the document is a
    list; `photos.item`: it is an object whose `photos` is one) what kind is listed there. A file may hold any of them, or none.
    `?media` is a document that is an entry itself, an object with a key `media`: who posted once has no list. In a file that is
    `apart`, each medium of a post is an entry of its own.
    """

    files: str
    entries: Mapping[str, Kind]
    apart: bool = False


@dataclass(frozen=True, slots=True)
class Medium:
    """A photo or video of an entry: its uri inside the export, and the words that are its own."""

    uri: str
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawPost:
    """One entry of an export, at a time in seconds since 1970.

    `links` counts what points out of the platform, `shares` what somebody else made there, `unknown_attachments` what is of no
    kind that we know. With an `unknown_label`, an entry may have words in a language whose labels we do not know.

    Places, tagged people, addresses, other platforms and a photo's EXIF have no field here: they are never read.
    """

    kind: Kind = "post"
    text: str = ""
    timestamp: int | None = None
    media: tuple[Medium, ...] = ()
    links: int = 0
    shares: int = 0
    unknown_attachments: int = 0
    unknown_label: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """A text with the photos that it is about (uris inside the export, in the person's order), or alone."""

    kind: Kind
    text: str
    images: tuple[str, ...]
    timestamp: int | None
