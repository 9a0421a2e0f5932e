"""The records that training reads: `cleaned_data.json` with its photos in `images/`.

Each platform has a folder of its own, so that a cluster may hold both: `<output>/records/<platform>/`. All of it stays on the
spoke.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import ijson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fedspoke.api.errors import Refused
from fedspoke.api.names import Platform
from fedspoke.data import stage
from fedspoke.data.sealed import PLAIN, Store

CLEANED = "cleaned_data.json"

_OTHERWISE = "clean an export into this folder first"

Image = Annotated[str, Field(pattern=r"^images/[0-9a-f]{16}\.jpg$")]
"""A photo's path, relative to the records' folder: named by what it holds, never by its owner."""


class CleanRecord(BaseModel):
    """One example: a text, and the photo that it is about. Time in seconds since 1970.

    `images` are all photos of a post that has several, `image` is the first of them; `language` is there where it is known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    image: Image | None
    text: Annotated[str, Field(min_length=1)]
    timestamp: int | None
    images: tuple[Image, ...] = ()
    language: str | None = None

    def entry(self) -> dict[str, Any]:
        """The record as it is written: without the keys that have nothing to say."""
        return self.model_dump(mode="json", exclude_defaults=True)


def record(text: str, images: Sequence[str], timestamp: int | None, language: str | None) -> CleanRecord:
    """Named by what it holds, so that a duplicate has the same name."""
    return CleanRecord(
        id=hashlib.sha256("\0".join((text, *images)).encode()).hexdigest()[:16],
        image=images[0] if images else None,
        text=text,
        timestamp=timestamp,
        images=tuple(images) if images[1:] else (),
        language=language,
    )


def stages(output: Path, platform: Platform) -> Path:
    """Where one platform's stages lie in a collaborator's output."""
    return output / "records" / platform


def load(folder: Path, store: Store = PLAIN) -> tuple[CleanRecord, ...]:
    """The records of a folder.

    Raises:
        DamagedError: they are not what was written.
        Refused: there are none, or they are not what `clean` writes.
    """
    path = folder / CLEANED
    read: list[CleanRecord] = []
    try:
        read.extend(CleanRecord.model_validate(entry) for entry in stage.reading(path, store))
    except FileNotFoundError:
        raise Refused(f"{path} is missing; {_OTHERWISE}") from None
    except ijson.JSONError:
        raise Refused(f"{path} is not what fedspoke writes (it is no JSON after record {len(read)}); {_OTHERWISE}") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in (len(read), *first["loc"]))
        raise Refused(f"{path} is not what fedspoke writes ({place}: {first['msg']}); {_OTHERWISE}") from None
    return tuple(read)
