"""Where an export may lie: in what a person names, or one folder further down; in folders and zips."""

import logging
from pathlib import Path

from fedspoke.api.errors import Refused
from fedspoke.api.names import PLATFORMS
from fedspoke.data.exports.files import UnusableError
from fedspoke.data.exports.folder import Folder
from fedspoke.data.exports.zips import Zip, opened

_log = logging.getLogger(__name__)

Place = Folder | Zip


def outermost(path: Path) -> Place:
    """What a person named.

    Raises:
        Refused: it is neither a folder nor a zip that can be read.
    """
    try:
        if path.is_dir():
            return Folder(path.resolve())
        if path.is_file():
            return opened(path.resolve())
    except OSError as error:
        raise Refused(f"{path} {_why(error)}") from None
    what = "is neither a folder nor a file" if path.exists() else "does not exist"
    raise Refused(f"{path} {what}; name the folder or the zips of a Facebook or Instagram export")


def further_down(place: Place) -> list[Place]:
    """The folders of a place; of a folder also the zips, each as it is and with its folders.

    Raises:
        Refused: a zip that a platform made cannot be read.
        OSError: the place cannot be listed.
    """
    found: list[Place] = [place.below(folder) for folder in place.folders()]
    for path in place.zips() if isinstance(place, Folder) else ():
        try:
            part = opened(path)
        except OSError as error:
            # The names of a person's files stay here; what is raised may be told to the hub.
            _log.warning("%s %s", path, _why(error))
            if path.name.startswith(PLATFORMS):  # as the platforms name theirs
                raise Refused(f"{path.parent} holds a zip that {_why(error)}") from None
            continue
        found += [part, *(part.below(folder) for folder in part.folders())]
    return found


def _why(error: OSError) -> str:
    return str(error) if isinstance(error, UnusableError) else f"cannot be read: {error.strerror}"
