"""Whose a folder is: what is in it is one federation's, and another that is given the same folder is refused.

A volume may outlive the resource that had it made. Whoever makes another resource of that name wants another model, and must not
be told that it is there already.
"""

from pathlib import Path

from fedspoke.api import files
from fedspoke.api.errors import Failed

_FILE = "federation"


def take(folder: Path, federation: str) -> None:
    """Make the folder this federation's, if it is nobody's; `federation` is the uid of its resource.

    Raises:
        Failed: it is another's.
    """
    if others(folder, federation):
        raise Failed(
            "spec.server.storage leads to the rounds and the model of another federation, which are left as they are: "
            "give this one a path of its own, or empty that folder of the volume"
        )
    if federation:
        files.replace(folder / _FILE, federation.encode())


def others(folder: Path, federation: str) -> bool:
    """Whether what is in the folder is another federation's."""
    file = folder / _FILE
    return bool(federation) and file.exists() and file.read_text() != federation
