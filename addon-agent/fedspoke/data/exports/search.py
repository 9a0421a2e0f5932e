"""Finding an export by the names of its files: its JSON, its HTML, or what stands there if nothing was posted."""

from collections.abc import Iterable, Mapping, Sequence
from types import ModuleType

from fedspoke.api.names import PLATFORMS, Platform
from fedspoke.data.exports import facebook, instagram
from fedspoke.data.exports.places import Place, further_down

PARSERS: dict[Platform, ModuleType] = {"facebook": facebook, "instagram": instagram}

Patterns = Mapping[Platform, Sequence[str]]

JSON: Patterns = {platform: [listing.files for listing in parser.FILES] for platform, parser in PARSERS.items()}
HTML: Patterns = {platform: [name.removesuffix("json") + "html" for name in names] for platform, names in JSON.items()}
NOTHING: Patterns = {
    platform: [
        f"{folder}no-data.txt"
        for listing in parser.FILES
        if "post" in listing.entries.values() and (folder := listing.files[: listing.files.rfind("/") + 1])
    ]
    for platform, parser in PARSERS.items()
}

_POSTS = {name.split("/")[0] for names in JSON.values() for name in names if "/" in name}
_PHOTOS = {"media", "photos", "photos_and_videos", "videos"}
_OTHERS = {"connections", "messages", "personal_information"}  # what people choose, if not their posts

# The old layout had no your_facebook_activity: inside that folder it would be found, but no photo with it.
_INNER = ("your_", "this_profile's_")

Found = list[tuple[Platform, Place]]


def search(top: Place, patterns: Patterns) -> tuple[Found, list[Place]]:
    """The places where files of a platform match, the outermost only; and those beside them, which may hold the photos.

    Raises:
        Refused, OSError: one of them cannot be read.
    """
    if found := _holding([top], patterns):
        return found, []
    places = [place for place in _roots(top) if (_POSTS | _PHOTOS).intersection(place.folders())]
    found = _holding(places, patterns)
    return found, [place for place in places if all(place is not export for _, export in found)]


def looks_like_an_export(top: Place) -> bool:
    """Whether its folders are those of an export, with posts or without."""
    return any((_POSTS | _PHOTOS | _OTHERS).intersection(place.folders()) for place in _roots(top))


def _roots(top: Place) -> list[Place]:
    return [place for place in (top, *further_down(top)) if not place.name.startswith(_INNER)]


def _holding(places: Iterable[Place], patterns: Patterns) -> Found:
    roots = [place for place in places if not place.name.startswith(_INNER)]
    return [(platform, place) for place in roots for platform in PLATFORMS if place.names(patterns[platform])]
