"""The collaborator's output as one store: plain, or sealed by the key that the settings name.

It is of one key, or of none. What another key sealed nobody can read, and what was plain nobody is to: either is removed, since
all of it can be made again from the export.
"""

import logging
import shutil
from pathlib import Path

from fedspoke.api import files
from fedspoke.api.records import CollaboratorSettings
from fedspoke.data import sealed
from fedspoke.data.sealed import Store

CAPTIONS = "captions.json"
CHECKPOINT = "training/checkpoint.safetensors"
RECORDS = "records"

_OF_POSTS = (RECORDS, "training/*checkpoint*", f"*{CAPTIONS}*")
"""What is removed, with what a kill has left of it half written."""
_SEALED_BY = "sealed-by"
"""The file that says by which key; not there where by none."""

_log = logging.getLogger(__name__)


def store(settings: CollaboratorSettings) -> Store:
    """The output, in which nothing is left that this store could not have written.

    Raises:
        Refused: the file that the settings name holds no key.
    """
    output = Path(settings.output).resolve()
    own = Store(output, sealed.key(Path(settings.key)) if settings.key else None)
    mark = output / _SEALED_BY
    before = mark.read_text() if mark.is_file() else None
    if before == own.fingerprint:
        return own
    if left := [path for pattern in _OF_POSTS for path in output.glob(pattern)]:
        _log.warning("what lies in %s was written with another key, or with none; it is removed and made anew", output)
        for path in left:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    if own.fingerprint is None:
        mark.unlink()
    else:
        output.mkdir(parents=True, exist_ok=True)
        files.replace(mark, own.fingerprint.encode())
    return own
