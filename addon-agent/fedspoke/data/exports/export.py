"""A person's export, found and read: which platform it is from, and everything that was posted."""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fedspoke.api.errors import Failed, Refused
from fedspoke.api.names import Platform
from fedspoke.data.exports.files import Files, UnusableError
from fedspoke.data.exports.names import matcher
from fedspoke.data.exports.parts import Parts, contradict
from fedspoke.data.exports.post import Listing, RawPost
from fedspoke.data.exports.repair import repaired
from fedspoke.data.exports.search import (
    HTML,
    JSON,
    NOTHING,
    PARSERS,
    Found,
    Place,
    looks_like_an_export,
    outermost,
    owner,
    refuse_inner,
    search,
)
from fedspoke.data.exports.stream import UnreadableError, entries
from fedspoke.data.exports.together import together
from fedspoke.data.exports.zips import Zip

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """One person's export. It can be pickled; `files` are opened anew wherever they are read.

    `odd` counts names in a zip that are not looked at, by reason: they lead out of it, or come again.
    """

    platform: Platform
    files: Files
    odd: Counter[str] = field(default_factory=Counter)

    def entries(self, skipped: Counter[str]) -> Iterator[RawPost]:
        """All that the export lists, in reading order; no more of it is held in memory than one entry.

        Args:
            skipped: counts `odd`, and files that gave nothing (`unreadable_json`) or not all they had (`truncated_json`).

        Raises:
            Failed: the export is gone.
        """
        skipped.update(self.odd)
        listings = [(matcher([listing.files]), listing) for listing in PARSERS[self.platform].FILES]
        for name in self._names():
            listing = next(listing for pattern, listing in listings if pattern.fullmatch(name))
            listed = self._listed(name, listing, skipped)
            yield from together(listed) if listing.apart else listed

    def _listed(self, name: str, listing: Listing, skipped: Counter[str]) -> Iterator[RawPost]:
        count = 0
        try:
            with self.files.open(name) as file:
                for place, entry in entries(file, listing.entries):
                    yield PARSERS[self.platform].parse(repaired(entry), listing.entries[place]) or RawPost()
                    count += 1
        except (OSError, UnreadableError) as error:
            skipped["truncated_json" if count else "unreadable_json"] += 1
            why = error.strerror if isinstance(error, OSError) and error.strerror else error
            _log.warning("of a file %s only the first %d entries could be read: %s", listing.files, count, why)

    def _names(self) -> list[str]:
        try:
            return self.files.names(JSON[self.platform])
        except OSError as error:
            raise Failed(f"the {self.platform} export can no longer be read: {error.strerror or error}") from None


def find(paths: Sequence[Path]) -> Export:
    """The one export that lies in a folder or a zip, or in several of them as its parts.

    It may lie one folder further down, and its parts side by side there.

    Raises:
        Refused: there is none, or more than one, or it cannot be read.
    """
    where = " with ".join(map(str, paths))
    tops = [outermost(path) for path in paths]
    try:
        exports, beside = _found(where, tops, paths)
        platform, places = exports[0][0], tuple(place for _, place in exports)
        owners = {owner(place) for place in places} - {None}
        if any(other != platform for other, _ in exports) or len(owners) > 1 or contradict(places, JSON[platform]):
            # The names of a person's folders stay here; what is raised may be told to the hub.
            _log.warning("exports: %s", ", ".join(f"{other} in {place}" for other, place in exports))
            raise Refused(f"{where} holds {len(exports)} exports; give each a folder of its own, and name one of them")
    except UnusableError as error:
        raise Refused(f"{where} {error}") from None
    except OSError as error:
        raise Refused(f"{where} cannot be read: {error.strerror or error}") from None
    files = Parts(places, tuple(beside)) if beside or places[1:] else places[0]
    zips = {place.path: place.index.odd for place in (*places, *beside) if isinstance(place, Zip)}
    return Export(platform=platform, files=files, odd=sum(zips.values(), Counter[str]()))


def _found(where: str, tops: Sequence[Place], paths: Sequence[Path]) -> tuple[Found, list[Place]]:
    found = [search(top, JSON) for top in tops]
    if not any(exports for exports, _ in found):
        for path in paths:
            refuse_inner(path)
        if any(exports for exports, _ in (search(top, HTML) for top in tops)):
            raise Refused(f"{where} is an export as HTML; ask the platform for it again and choose the format JSON")
        found = [search(top, NOTHING) for top in tops]
    if not any(exports for exports, _ in found):
        if any(looks_like_an_export(top) for top in tops):
            raise Refused(f"{where} holds no posts; name all parts of the export, or ask for it again with posts chosen")
        raise Refused(
            f"{where} is no Facebook or Instagram export; "
            "name the folder that holds your_facebook_activity or your_instagram_activity"
        )
    for path, (exports, beside) in zip(paths, found, strict=True):
        if not exports and not beside:
            raise Refused(f"{path} is no part of an export; leave it out")
    return [export for exports, _ in found for export in exports], [place for _, places in found for place in places]
