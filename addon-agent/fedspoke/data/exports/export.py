"""A person's export, found and read: which platform it is from, and everything that was posted."""

import json
import logging
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from fedspoke.api.errors import Refused
from fedspoke.api.names import PLATFORMS, Platform
from fedspoke.data.exports import facebook, instagram
from fedspoke.data.exports.folder import Folder
from fedspoke.data.exports.merge import usable
from fedspoke.data.exports.post import Listing, Post, RawPost
from fedspoke.data.exports.repair import repaired

_log = logging.getLogger(__name__)

_PARSERS: dict[Platform, ModuleType] = {"facebook": facebook, "instagram": instagram}


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """What one export holds. `raw` is all that was found, `posts` what can be learned from, `skipped` why the rest cannot."""

    platform: Platform
    root: Path
    raw: tuple[RawPost, ...]
    posts: tuple[Post, ...]
    skipped: dict[str, int]


def read(path: Path) -> Export:
    """Read the export in a folder, or one folder further down.

    Raises:
        Refused: there is no such folder, or no one export in it that can be read.
    """
    try:
        platform, folder = _find(path)
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}") from None
    parser = _PARSERS[platform]
    raw: list[RawPost] = []
    unreadable: Counter[str] = Counter()
    for listing in parser.FILES:
        for name in folder.names([listing.files]):
            try:
                with folder.open(name) as file:
                    document = repaired(json.loads(file.read().decode("utf-8-sig")))
            except (OSError, ValueError, RecursionError):
                document = None
            found = [parser.parse(entry, kind) for prefix, kind in listing.entries.items() for entry in _listed(document, prefix)]
            raw += [entry or RawPost() for entry in found]
            if not found and document != []:
                unreadable["unreadable_json"] += 1
    skipped: Counter[str] = Counter()
    posts = tuple(usable(raw, folder.lacking, skipped))
    return Export(
        platform=platform,
        root=folder.root,
        raw=tuple(raw),
        posts=posts,
        skipped=dict(sorted((skipped + unreadable).items())),
    )


def _listed(document: Any, prefix: str) -> list[Any]:
    *keys, _ = prefix.split(".")
    for key in keys:
        document = document.get(key) if isinstance(document, dict) else None
    return document if isinstance(document, list) else []


def _find(path: Path) -> tuple[Platform, Folder]:
    if not path.exists():
        raise Refused(f"{path} does not exist; name the folder of an unpacked Facebook or Instagram export")
    if path.is_file() and path.suffix.lower() == ".zip":
        raise Refused(f"{path} is a zip; unpack it first and name the folder")
    if not path.is_dir():
        raise Refused(f"{path} is a file; name the folder of an unpacked Facebook or Instagram export")
    root = path.resolve()
    below = [Folder(child) for child in sorted(root.iterdir()) if child.is_dir() and not child.is_symlink()]
    for folders in ([Folder(root)], below):
        found = _matches(folders, ".json")
        if len(found) == 1:
            return found[0]
        if found:
            # The names of a person's folders stay here; what is raised may be told to the hub.
            _log.warning("exports: %s", ", ".join(f"{platform} in {folder.root}" for platform, folder in found))
            raise Refused(f"{path} holds {len(found)} exports; give each a folder of its own, and name one of them")
        if _matches(folders, ".html"):
            raise Refused(f"{path} is an export as HTML; ask the platform for it again and choose the format JSON")
    raise Refused(
        f"{path} is no Facebook or Instagram export; name the folder that holds your_facebook_activity or your_instagram_activity"
    )


def _matches(folders: list[Folder], suffix: str) -> list[tuple[Platform, Folder]]:
    return [
        (platform, folder)
        for folder in folders
        # The old layout had no your_facebook_activity: inside that folder it would be found, but no photo with it.
        if not folder.root.name.startswith("your_")
        for platform in PLATFORMS
        if folder.names(_named(listing, suffix) for listing in _PARSERS[platform].FILES)
    ]


def _named(listing: Listing, suffix: str) -> str:
    return listing.files.removesuffix(".json") + suffix
