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

_FOLDERS = {name.split("/")[0] for names in JSON.values() for name in names if "/" in name}
_KNOWN = _FOLDERS | {"media", "photos", "photos_and_videos", "stories", "videos"}  # where only photos are, too


def search(tops: Iterable[Place], patterns: Patterns) -> tuple[list[tuple[Platform, Place]], list[Place]]:
    """The places where files of a platform match, the outermost only; and those beside them, which may hold the photos.

    Raises:
        Refused, OSError: one of them cannot be read.
    """
    exports: list[tuple[Platform, Place]] = []
    beside: list[Place] = []
    for top in tops:
        places = [top]
        if not (found := _holding(places, patterns)):
            places = [place for place in (top, *further_down(top)) if _KNOWN.intersection(place.folders())]
            found = _holding(places, patterns)
        exports += found
        beside += [place for place in places if all(place is not export for _, export in found)]
    return exports, beside


def without_posts(tops: Iterable[Place]) -> Platform | None:
    """The platform of an export that has other things than posts, as far as its folders tell."""
    folders = {folder for top in tops for place in (top, *further_down(top)) for folder in place.folders()} & _FOLDERS
    return next((platform for platform in PLATFORMS if any(platform in folder for folder in folders)), None)


def _holding(places: Iterable[Place], patterns: Patterns) -> list[tuple[Platform, Place]]:
    return [
        (platform, place)
        for place in places
        # The old layout had no your_facebook_activity: inside that folder it would be found, but no photo with it.
        if not place.name.startswith("your_")
        for platform in PLATFORMS
        if place.names(patterns[platform])
    ]
