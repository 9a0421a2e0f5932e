"""OUT: the folder that an export's stages are written into, by one run at a time, and by nobody else's leave outside of it.

All that is made here is for its owner alone, as the stages before the last hold what a person wrote, unmasked. What is not
finished lies in `.prepare/` alone, so everything else in OUT is whole; that folder is gone when all is done.
"""

import ctypes
import fcntl
import hashlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fedspoke.api.errors import Failed, Refused
from fedspoke.data import stage
from fedspoke.data.sealed import PLAIN, DamagedError, Store

IMAGES = "images"
_UNFINISHED = ".prepare"
_OWNER_ALONE = 0o700


@dataclass(frozen=True, slots=True)
class Output:
    """A folder that is ours until the end."""

    path: Path
    store: Store = PLAIN

    @classmethod
    @contextmanager
    def open(cls, path: Path, store: Store = PLAIN) -> Iterator["Output"]:
        """The folder, whose files are the store's; it is made where there is none.

        Raises:
            Refused: it cannot be made, leads elsewhere by a link, or another run is at work in it.
            Failed: it can no longer be written to.
        """
        output = cls(path.resolve(), store)
        try:
            output.path.mkdir(_OWNER_ALONE, parents=True, exist_ok=True)
            lock = os.open(output.path, os.O_RDONLY)
        except OSError as error:
            raise Refused(f"{path} cannot be made a folder: {error.strerror}") from None
        try:
            output._begin(lock)
            yield output
        except sqlite3.Error as error:
            raise Failed(f"the work in {output.unfinished} cannot be kept ({error}); make room there, or remove it") from None
        finally:
            os.close(lock)

    def _begin(self, lock: int) -> None:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for folder in (self.images, self.unfinished):
                if folder.is_symlink():
                    raise Refused(f"{folder} is a link, and nothing is written through one; remove it, or name another folder")
                folder.mkdir(_OWNER_ALONE, exist_ok=True)
        except BlockingIOError:
            raise Refused(f"{self.path} is in use by another run; wait for its end, or name another folder") from None
        except OSError as error:
            raise Refused(f"{self.path} cannot be written to: {error.strerror}") from None

    @property
    def images(self) -> Path:
        """Photos that records name."""
        return self.path / IMAGES

    @property
    def unfinished(self) -> Path:
        """What a later run goes on with."""
        return self.path / _UNFINISHED

    def writing(self, name: str) -> AbstractContextManager[Callable[[Any], None]]:
        """A stage's file, replaced when it is whole (`stage.writing`)."""
        return stage.writing(self.path / name, self.unfinished / name, self.store)

    def has_image(self, name: str) -> bool:
        """Whether a photo is whole. It is named by what it holds, so a power cut that took some of it shows."""
        try:
            return image_name(self.store.read(self.images / name)) == name
        except (OSError, DamagedError):
            return False

    def write_image(self, name: str, content: bytes) -> None:
        """A photo, whole or not at all."""
        partial = self.unfinished / "photo"
        with stage.cannot_write(self.images / name):
            partial.unlink(missing_ok=True)
            with self.store.create(partial, self.images / name) as file:
                file.write(content)
            partial.replace(self.images / name)

    def make_durable(self) -> None:
        """Photos are on the disk before a list that names them: else a power cut could leave the list alone."""
        with stage.cannot_write(self.images):
            folder = os.open(self.images, os.O_RDONLY)
            try:
                # All at once takes seconds where one after the other (fsync) takes minutes; os.sync would wait for other disks.
                if ctypes.CDLL(None, use_errno=True).syncfs(folder):
                    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
            finally:
                os.close(folder)

    def finish(self) -> None:
        """Nothing is left to go on with."""
        shutil.rmtree(self.unfinished)


def image_name(content: bytes) -> str:
    """Of a photo's file: by what it holds."""
    return f"{hashlib.sha256(content).hexdigest()[:16]}.jpg"
