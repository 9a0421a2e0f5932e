"""The stages from an export to training data, each a file that a person can look at.

`raw_<platform>_data.json` is what was posted, `dummy_data.json` the useful fields (text, image), `cleaned_data.json` the
records {id, image, text, timestamp} with their photos in `images/`. Each platform has a folder of its own, so that a cluster
may hold both: `<output>/records/<platform>/`. All of it stays on the spoke.

The same export always makes the same bytes; a file is there whole or not at all.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Collection
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from fedspoke.api import files
from fedspoke.api.errors import Failed, Refused
from fedspoke.api.names import Platform
from fedspoke.data.cleaning.caption import caption
from fedspoke.data.cleaning.photo import BrokenPhotoError, photo
from fedspoke.data.exports import export as exports
from fedspoke.data.exports.post import Post

EXTRACTED = "dummy_data.json"
CLEANED = "cleaned_data.json"
IMAGES = "images"

_OWN_IMAGE = re.compile(r"[0-9a-f]{16}\.jpg")


class _Stage(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Extracted(_Stage):
    """The useful fields of one export. `export` is its root, in which the posts' images are named."""

    platform: Platform
    export: str
    posts: tuple[Post, ...]
    skipped: dict[str, int]


class CleanRecord(_Stage):
    """One example: a text, and a photo (a path relative to the records' folder) that it is about. Time in seconds since 1970."""

    id: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    image: Annotated[str, Field(pattern=r"^images/[0-9a-f]{16}\.jpg$")] | None
    text: Annotated[str, Field(min_length=1)]
    timestamp: int | None


class Cleaned(_Stage):
    """What is left to learn from, and why the rest of the export is not in it."""

    records: tuple[CleanRecord, ...]
    skipped: dict[str, int]


_T = TypeVar("_T")
_EXTRACTED = TypeAdapter(Extracted)
_RECORDS = TypeAdapter(tuple[CleanRecord, ...])


def stages(output: Path, platform: Platform) -> Path:
    """Where one platform's stages lie in a collaborator's output."""
    return output / "records" / platform


def extract(export: Path, platform: Platform | None, folder: Path) -> Extracted:
    """Read an export, which must be `platform`'s if one is named, and keep the useful fields.

    Raises:
        Refused: `export` cannot be read, or is another platform's.
    """
    found = exports.read(export)
    if platform not in (None, found.platform):
        raise Refused(f"{export} is declared as {platform} data, but it is a {found.platform} export")
    if folder.resolve().is_relative_to(found.root):
        raise Refused(f"the folder for the records lies inside the export {export}; name one outside of it")
    extracted = Extracted(platform=found.platform, export=str(found.root), posts=found.posts, skipped=found.skipped)
    _make(folder)
    (folder / CLEANED).unlink(missing_ok=True)  # it was made of what is replaced now
    _write_json(folder / f"raw_{found.platform}_data.json", [asdict(post) for post in found.raw])
    _write_json(folder / EXTRACTED, extracted.model_dump())
    return extracted


def clean(folder: Path) -> Cleaned:
    """Make records of the extracted posts, with photos decoded, bounded and stripped of everything but their pixels.

    A photo that cannot be decoded is left out and counted; its post's text stays. Of posts with the same text and photo only
    the first in time stays.

    Raises:
        Refused: `folder` holds nothing extracted, or the export with the photos is gone.
        Failed: nothing to learn from is left.
    """
    extracted = _read(folder / EXTRACTED, _EXTRACTED, "extract an export into this folder first")
    export = Path(extracted.export)
    if not export.is_dir():
        raise Refused(f"the {extracted.platform} export is gone since it was extracted; bring it back, or extract another one")
    skipped = Counter(extracted.skipped)
    records: dict[str, CleanRecord] = {}
    _make(folder / IMAGES)
    for post in sorted(extracted.posts, key=lambda post: post.timestamp or 0):
        text = caption(post.text)
        pixels = _pixels(export / post.images[0]) if post.images else b""
        if pixels is None:
            skipped["broken_image"] += 1
        record = _record(text, pixels or b"", post.timestamp) if text else None
        if record is None:
            skipped["no_text"] += 1
        elif record.id in records:
            skipped["duplicate"] += 1
        else:
            if record.image and pixels:
                _write(folder / record.image, pixels)
            records[record.id] = record
    counts = dict(sorted(skipped.items()))
    if not records:
        reasons = ", ".join(f"{reason} {count}" for reason, count in counts.items())
        raise Failed(f"the {extracted.platform} export holds no post to learn from ({reasons or 'it is empty'})")
    _write_json(folder / CLEANED, [record.model_dump() for record in records.values()])
    _remove_others(folder / IMAGES, records)
    return Cleaned(records=tuple(records.values()), skipped=counts)


def load(folder: Path) -> tuple[CleanRecord, ...]:
    """The records that `clean` left in a folder.

    Raises:
        Refused: there are none, or they are not what `clean` writes.
    """
    return _read(folder / CLEANED, _RECORDS, "clean an export into this folder first")


def _record(text: str, pixels: bytes, timestamp: int | None) -> CleanRecord:
    """Named by what it holds, so that a duplicate has the same name, and a file's name is nowhere."""
    name = hashlib.sha256(text.encode() + b"\0" + pixels).hexdigest()[:16]
    return CleanRecord(id=name, image=f"{IMAGES}/{name}.jpg" if pixels else None, text=text, timestamp=timestamp)


def _pixels(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            return photo(file).jpeg
    except BrokenPhotoError:
        return None


def _remove_others(images: Path, records: Collection[str]) -> None:
    """Photos of an earlier export go; files that somebody else put beside them stay."""
    for path in images.iterdir():
        if _OWN_IMAGE.fullmatch(path.name) and path.stem not in records:
            path.unlink()


def _read(path: Path, shape: TypeAdapter[_T], otherwise: str) -> _T:
    try:
        return shape.validate_json(path.read_bytes())
    except FileNotFoundError:
        raise Refused(f"{path} is missing; {otherwise}") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise Refused(f"{path} is not what fedspoke writes ({place}: {first['msg']}); {otherwise}") from None


def _write_json(path: Path, value: Any) -> None:
    _write(path, json.dumps(value, ensure_ascii=False, indent=1).encode() + b"\n")


def _write(path: Path, content: bytes) -> None:
    try:
        files.replace(path, content)
    except OSError as error:
        raise Failed(f"{path.parent} cannot be written to: {error.strerror}") from None


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Refused(f"{folder} cannot be made a folder: {error.strerror}") from None
