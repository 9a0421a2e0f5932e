"""Finding an export by the names of its files, in what a person names or one folder further down; in folders and zips."""

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import ModuleType

from fedspoke.api.errors import Refused
from fedspoke.api.names import PLATFORMS, Platform
from fedspoke.data.exports import facebook, instagram
from fedspoke.data.exports.files import UnusableError
from fedspoke.data.exports.folder import Folder
from fedspoke.data.exports.zips import Zip, opened

_log = logging.getLogger(__name__)

PARSERS: dict[Platform, ModuleType] = {"facebook": facebook, "instagram": instagram}

Patterns = Mapping[Platform, Sequence[str]]

JSON: Patterns = {platform: [listing.files for listing in parser.FILES] for platform, parser in PARSERS.items()}
HTML: Patterns = {platform: [name.removesuffix("json") + "html" for name in names] for platform, names in JSON.items()}
NOTHING: Patterns = {  # what lies there where a person has posted nothing
    platform: [
        f"{folder}no-data.txt"
        for listing in parser.FILES
        if "post" in listing.entries.values() and (folder := listing.files[: listing.files.rfind("/") + 1])
    ]
    for platform, parser in PARSERS.items()
}
_ANY: Patterns = {platform: [*JSON[platform], *HTML[platform], *NOTHING[platform]] for platform in PLATFORMS}
_ALL = [name for patterns in (JSON, HTML, NOTHING) for names in patterns.values() for name in names]

_POSTS = {name.split("/")[0] for name in _ALL if "/" in name}
_PHOTOS = {"media", "photos", "photos_and_videos", "videos"}
_OTHERS = {"connections", "messages", "personal_information"}  # what people choose, if not their posts
_MOST_PARTS = 100
_DEEPEST = 5  # from a photo up: its album's folder, media, posts, your_facebook_activity, the export
# The old layout had no your_facebook_activity: inside that folder it would be found, but no photo with it.
_INNER = ("your_", "this_profile's_")

# Since 2021, and Instagram's before: an owner and a day, then letters by chance or the number of a part.
_AS_DOWNLOADED = re.compile(rf"((?:{'|'.join(PLATFORMS)})-.+-\d{{4}}-\d\d-\d\d|.+_\d{{8}})(?:[-_ ].*)?")

Place = Folder | Zip
Found = list[tuple[Platform, Place]]


def outermost(path: Path) -> Place:
    """What a person named.

    Raises:
        Refused: it is neither a folder nor a zip that can be read, or a file inside an export.
    """
    try:
        if path.is_dir():
            return Folder(path.resolve())
        if path.is_file():
            return opened(path.resolve(), _ALL)
    except OSError as error:
        if path.suffix.lower() != ".zip":
            refuse_inner(path)
        raise Refused(f"{path} {_why(error)}") from None
    what = "is neither a folder nor a file" if path.exists() else "does not exist"
    raise Refused(f"{path} {what}; name the folder or the zips of a Facebook or Instagram export")


def search(top: Place, patterns: Patterns) -> tuple[Found, list[Place]]:
    """The places where files of a platform match, the outermost only; and those beside them, which may hold the photos.

    Raises:
        Refused, OSError: one of them cannot be read.
    """
    if found := _holding([top], patterns):
        return found, []
    places = [place for place in _roots(top) if (_POSTS | _PHOTOS).intersection(place.folders())]
    if len(places) > _MOST_PARTS:
        raise UnusableError(f"holds more than {_MOST_PARTS} folders that may be parts of an export; name the export alone")
    found = _holding(places, patterns)
    return found, [place for place in places if all(place is not export for _, export in found)]


def looks_like_an_export(top: Place) -> bool:
    """Whether its folders are those of an export, with posts or without.

    Raises:
        Refused, OSError: it cannot be read.
    """
    return any(looks_like_a_part(place) for place in _roots(top))


def looks_like_a_part(place: Place) -> bool:
    """Whether the folders directly in it are those of an export.

    Raises:
        OSError: it cannot be read.
    """
    return bool((_POSTS | _PHOTOS | _OTHERS).intersection(place.folders()))


def refuse_inner(path: Path) -> None:
    """Say which folder to name, where somebody named what lies inside of it.

    Raises:
        Refused: the path leads into an export.
    """
    for above in path.resolve().parents[:_DEEPEST]:
        with suppress(OSError):
            if _holding([Folder(above)], _ANY):
                raise Refused(f"{path} is only a part of an export; name {above}, the folder above")


def owner(place: Place) -> str | None:
    """Whose export it is and of which day, as far as its name tells: all parts of one have this in common."""
    named = (place.name, place.path.stem) if isinstance(place, Zip) else (place.name,)
    return next((found[1] for name in named if (found := _AS_DOWNLOADED.fullmatch(name))), None)


def _roots(top: Place) -> list[Place]:
    return [place for place in (top, *_further_down(top)) if not place.name.startswith(_INNER)]


def _holding(places: Iterable[Place], patterns: Patterns) -> Found:
    roots = [place for place in places if not place.name.startswith(_INNER)]
    return [(platform, place) for place in roots for platform in PLATFORMS if place.names(patterns[platform])]


def _further_down(place: Place) -> list[Place]:
    """The folders of a place; of a folder also the zips, each as it is and with its folders."""
    found: list[Place] = [place.below(folder) for folder in place.folders()]
    for path in place.zips() if isinstance(place, Folder) else ():
        try:
            part = opened(path, _ALL)
        except OSError as error:
            # The names of a person's files stay here; what is raised may be told to the hub.
            _log.warning("%s %s", path, _why(error))
            if path.name.startswith(PLATFORMS) or _AS_DOWNLOADED.fullmatch(path.stem):  # a part would be missing
                raise Refused(f"{path.parent} holds a zip that {_why(error)}") from None
            continue
        found += [part, *(part.below(folder) for folder in part.folders())]
    return found


def _why(error: OSError) -> str:
    return str(error) if isinstance(error, UnusableError) else f"cannot be read: {error.strerror or error}"
