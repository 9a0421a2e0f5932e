"""What a person posted, whatever the platform and the year."""

from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Coordinates(_Value):
    """Where a photo was taken, in degrees."""

    latitude: float
    longitude: float


class Photo(_Value):
    """A photograph by its name, or the part of it in `box` (left, top, right, bottom, in pixels), as it was uploaded.

    `text` are words of its own, beside those of the post.
    """

    file: str
    box: tuple[int, int, int, int] | None = None
    format: str = "jpg"
    gps: Coordinates | None = None
    upload_ip: str | None = None
    text: str = ""


class Link(_Value):
    """A page that a post shares."""

    url: str
    name: str


class Posted(_Value):
    """One post, or story, or reel. `album` is the name of an album that lists its photos again."""

    kind: Literal["post", "story", "reel", "archived"] = "post"
    time: datetime
    text: str = ""
    photos: tuple[Photo, ...] = ()
    video: bool = False
    link: Link | None = None
    place: str | None = None
    tagged: tuple[str, ...] = ()
    album: str | None = None

    @property
    def timestamp(self) -> int:
        """Seconds since 1970."""
        return int(self.time.replace(tzinfo=UTC).timestamp())
