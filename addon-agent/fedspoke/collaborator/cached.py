"""A model in the hub client's cache is what the hub said it was: large files are named there by their SHA-256, and checked by it.

Once a volume, as 14 GB take their time: what was checked is written down beside it, with size and time of each file.
"""

import json
import re
from pathlib import Path

from fedspoke.api import files
from fedspoke.api.errors import Failed

CHECKED = "checked.json"
_SHA256 = re.compile(r"[0-9a-f]{64}")


def check(snapshot: Path) -> None:
    """All files of one snapshot; what is damaged is removed, so that another attempt fetches it anew.

    Raises:
        Failed: a file is not what it was to be.
    """
    book = snapshot.parents[1] / CHECKED
    known: dict[str, list[int]] = _read(book)
    found = {blob.name: blob for blob in (it.resolve() for it in sorted(snapshot.iterdir())) if _SHA256.fullmatch(blob.name)}
    states = {name: [blob.stat().st_size, blob.stat().st_mtime_ns] for name, blob in found.items()}
    for name, state in states.items():
        if known.get(name) != state and files.sha256(found[name]) != name:
            found[name].unlink()
            raise Failed("a file of the model is not what the model hub says: it was damaged on its way or since; try again")
    if known | states != known:
        files.replace(book, json.dumps(known | states).encode())


def _read(book: Path) -> dict[str, list[int]]:
    try:
        found: dict[str, list[int]] = json.loads(book.read_text())
    except (OSError, ValueError):  # none yet, or cut off with its disk
        return {}
    return found
