"""From useful fields to records: texts by rule, photos decoded on all cores, what repeats left out, in the order of time.

An interrupted run goes on where it stopped, and leaves the same bytes as one that was not. What the folder held before stays
until the new records are whole.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from fedspoke.api.errors import Failed, Refused
from fedspoke.data import cleaning
from fedspoke.data.cleaning.near import unlike
from fedspoke.data.decode import clean_texts, decode_photos
from fedspoke.data.extract import Extracted
from fedspoke.data.kept import Kept
from fedspoke.data.output import IMAGES, Output
from fedspoke.data.progress import Progress
from fedspoke.data.records import CLEANED, record
from fedspoke.data.work import Work

_MADE_BY = ("pillow", "pi-heif", "linkify-it-py", "phonenumbers", "py3langid")
_OWN_IMAGE = re.compile(r"[0-9a-f]{16}\.jpg")


class EmptyError(Failed):
    """Nothing to learn from is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaned:
    """How many records there are, how many of them have photos and how many these are, and what became of the rest.

    `dropped` counts by rule or reason what is in no record, `changed` by rule the records whose text it changed; `kinds` and
    `languages` count records.
    """

    records: int
    with_photo: int
    images: int
    dropped: dict[str, int]
    changed: dict[str, int]
    kinds: dict[str, int]
    languages: dict[str, int]


def clean(extracted: Extracted, output: Output, progress: Progress, without: Collection[str] = ()) -> Cleaned:
    """Make records of the posts in `dummy_data.json`, by all rules but those in `without`.

    A photo that cannot be decoded is left out and counted; its post's text stays.

    Raises:
        Refused: the export has changed since it was extracted, or is gone.
        EmptyError: nothing to learn from is left.
        DamagedError: `dummy_data.json` is not what was written.
        Failed: the folder cannot be written to.
    """
    export = extracted.export
    if export.files.fingerprint() != extracted.fingerprint:
        raise Refused(f"the {export.platform} export is gone or has changed since it was extracted; extract it again")
    with (
        Work.open(output.unfinished / "work.sqlite", _key(extracted, without), output.store) as work,
        Kept.open(output.unfinished / "kept.sqlite", output.store) as kept,
    ):
        clean_texts(work, output, extracted.posts, without, progress)
        decode_photos(work, export.files, output, progress)
        cleaned = _write_records(extracted, work, kept, output, without, progress)
        for path in output.images.iterdir():  # of an earlier export, or of a post that was left out
            if _OWN_IMAGE.fullmatch(path.name) and not kept.has_image(path.name):
                path.unlink()
    output.finish()
    if not cleaned.records:
        (output.path / CLEANED).unlink()
        reasons = ", ".join(f"{reason} {count}" for reason, count in cleaned.dropped.items())
        raise EmptyError(f"the {export.platform} export holds no post to learn from ({reasons or 'it is empty'})")
    return cleaned


def _key(extracted: Extracted, without: Collection[str]) -> str:
    """Of all that decides what a text or a photo becomes: our own rules as they are written included."""
    made_by = [version(package) for package in _MADE_BY]
    made_by += [path.read_text() for path in sorted(Path(cleaning.__file__).parent.glob("*.py"))]
    return hashlib.sha256(json.dumps([extracted.fingerprint, sorted(without), made_by]).encode()).hexdigest()


def _write_records(
    extracted: Extracted, work: Work, kept: Kept, output: Output, without: Collection[str], progress: Progress
) -> Cleaned:
    """One pass over the posts in the order of time, since of those that are alike the first stays."""
    dropped = Counter(extracted.skipped)
    changed, kinds, languages = Counter[str](), Counter[str](), Counter[str]()
    with_photo, images = 0, 0
    with output.writing(CLEANED) as add:
        for number, post in enumerate(work.posts(), 1):
            progress("posts chosen", number, extracted.posts)
            if post.dropped:
                dropped[post.dropped] += 1
                continue
            decoded = [picture for uri in post.images if (picture := work.photo(uri))]
            dropped["broken_image"] += len(post.images) - len(decoded)
            pictures = decoded if "near_photos" in without else [decoded[n] for n in unlike([one.look for one in decoded])]
            dropped["near_photos"] += len(decoded) - len(pictures)
            names = list(dict.fromkeys(picture.name for picture in pictures))
            new = record(post.text, [f"{IMAGES}/{name}" for name in names], post.timestamp, post.language)
            if not kept.add_record(new.id):
                dropped["duplicate"] += 1
            elif rule := kept.seen.repeats(post.text, pictures[0].look if pictures else None, without):
                dropped[rule] += 1
            else:
                add(new.entry())
                changed.update(post.changed)
                kinds[post.kind] += 1
                languages.update([post.language] if post.language else [])
                with_photo += bool(names)
                images += sum(kept.add_image(name) for name in names)
        output.make_durable()
    return Cleaned(
        records=kinds.total(),
        with_photo=with_photo,
        images=images,
        dropped=dict(sorted((+dropped).items())),
        changed=dict(sorted(changed.items())),
        kinds=dict(sorted(kinds.items())),
        languages=dict(sorted(languages.items())),
    )
