"""All stages of one export at once: what `fedspoke data prepare` does, and what the collaborator's steps do one by one."""

from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path

from fedspoke.api.errors import Refused
from fedspoke.api.names import Platform
from fedspoke.data.clean import Cleaned, clean
from fedspoke.data.exports.export import Export, find
from fedspoke.data.exports.folder import Folder
from fedspoke.data.exports.search import looks_like_a_part
from fedspoke.data.extract import extract
from fedspoke.data.output import Output
from fedspoke.data.progress import Progress
from fedspoke.data.sealed import PLAIN, Store


def prepare(
    paths: Sequence[Path], folder: Path, progress: Progress, without: Collection[str] = (), store: Store = PLAIN
) -> Cleaned:
    """Make records of the export at these paths, by all rules but those in `without`, as files of a store.

    Raises:
        Refused: there is no one export there, or the folder cannot be used.
        Failed: nothing to learn from is left, or the folder cannot be written to.
    """
    export = find_for(paths, folder)
    with Output.open(folder, store) as output:
        return clean(extract(export, output, progress), output, progress, without)


def find_for(paths: Sequence[Path], folder: Path, platform: Platform | None = None) -> Export:
    """The export at these paths, whose records are to lie in a folder, and which must be `platform`'s if one is named.

    Raises:
        Refused: there is no one export, it is another platform's, or the folder lies inside it or is another one.
    """
    named = " and ".join(map(str, paths))
    for path in paths:
        if folder.resolve().is_relative_to(path.resolve()):
            raise Refused(f"the folder for the records lies inside the export {path}; name one outside of it")
    with suppress(OSError):  # the folder is to be made yet; or it cannot be read, which is told when it is opened
        if looks_like_a_part(Folder(folder.resolve())):
            raise Refused(f"{folder} looks like a part of an export; name another folder, for the records, after all parts")
    export = find(paths)
    if platform not in (None, export.platform):
        raise Refused(f"{named} is declared as {platform} data, but it is a {export.platform} export")
    return export
