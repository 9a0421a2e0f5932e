"""What a federation leaves in its folder is removed, with or without its ledgers. Repeated, it goes on where it was cut off."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fedspoke.api.errors import Failed

LEDGERS = ("releases.json", "releases.id", "profiles")
"""What was spent of the privacy of the posts: noise on adapters, and profiles of each platform."""


def wipe(folder: Path, *, keep_ledgers: bool) -> None:
    """Remove what lies in a folder, but not the folder; a link goes, and what it leads to stays.

    Raises:
        Failed: some of it cannot be removed; all else is gone.
    """
    failures: list[str] = []
    folders = [folder]
    for each in folders:  # which grows
        with _noted(failures), os.scandir(each) as found:
            for entry in found:
                if each == folder and keep_ledgers and entry.name in LEDGERS:
                    continue
                path = Path(entry.path)
                if entry.is_dir(follow_symlinks=False):
                    with suppress(OSError):  # its maker may have closed it
                        path.chmod(0o700)
                    folders.append(path)
                else:
                    with _noted(failures):
                        path.unlink()
    for each in reversed(folders[1:]):
        with _noted(failures):
            each.rmdir()
    if failures:
        raise Failed(
            f"not all of the output can be removed: {failures[0]}; make its volume one that any of its pods can write to"
        )


@contextmanager
def _noted(failures: list[str]) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:  # that was to be
        pass
    except OSError as error:
        failures.append(error.strerror or type(error).__name__)
