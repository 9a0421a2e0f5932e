"""The folder that a run leaves: what the user asked for and got at the top, what the hub and each cluster keep to themselves
below `hub/` and `clusters/`. A file is replaced whole or not at all.
"""

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fedspoke.api import documents, files, parse
from fedspoke.api.errors import Refused
from fedspoke.api.federated_learning import FederatedLearningStatus, Object
from fedspoke.api.names import PHASE_LABEL, ROUND_LABEL
from fedspoke.hub.status import mirrored

STATUS_FILE = "federatedlearning.yaml"

_LOOK = 1.0  # seconds; `at_work` holds the lock for a moment, another run for long


@dataclass(frozen=True, slots=True)
class Folder:
    """OUT."""

    path: Path

    @classmethod
    @contextmanager
    def open(cls, path: Path, document: Object) -> Iterator["Folder"]:
        """An empty folder, or that of an unfinished run of this very document, which then goes on; ours alone until the end.

        Raises:
            Refused: the folder holds anything else, cannot be written, or another run is at work in it.
        """
        path = path.resolve()  # the processes that are told of it have a working directory of their own
        try:
            path.mkdir(parents=True, exist_ok=True)
            lock = os.open(path, os.O_RDONLY)
        except FileExistsError as error:
            raise Refused(f"--out {path} is a file; name a folder that is new or empty") from error
        except OSError as error:
            raise Refused(f"--out {path} cannot be used: {error.strerror}; name another folder") from error
        try:
            _lock(lock, _LOOK)
            cls._refuse_others(path, document)
            folder = cls(path)
            if not (path / STATUS_FILE).exists():  # first of all: without it, nobody could tell whose folder it is
                folder.write_status(document, FederatedLearningStatus())
            for private in (folder.hub, folder.logs):  # keys, and tracebacks that may quote a post
                private.mkdir(mode=0o700, exist_ok=True)
            yield folder
        except BlockingIOError as error:
            raise Refused(f"--out {path} is in use by another run; wait for its end, or name another folder") from error
        finally:
            os.close(lock)

    @staticmethod
    def at_work(path: Path) -> bool:
        """Whether a run is at work in the folder: it holds the lock that goes with its process, however that ends."""
        try:
            lock = os.open(path, os.O_RDONLY)
        except OSError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(lock)
        return False

    @staticmethod
    def _refuse_others(path: Path, document: Object) -> None:
        for partial in path.glob(f".{STATUS_FILE}.*"):  # of a run that was killed while it wrote
            partial.unlink()
        if any(path.iterdir()):
            before = _previous(path / STATUS_FILE)
            if before is None or before.get("status", {}).get("phase") == "Completed":
                raise Refused(f"--out {path} is not empty; name a folder that is new or empty, or remove it")
            if _asked(before) != _asked(document):
                raise Refused(
                    f"--out {path} holds an unfinished run of another FederatedLearning; name another folder, or remove it"
                )

    @property
    def logs(self) -> Path:
        """One file a process."""
        return self.path / "logs"

    @property
    def hub(self) -> Path:
        """What only the hub may read."""
        return self.path / "hub"

    @property
    def state(self) -> Path:
        """The aggregator's checkpoints and its account of itself."""
        return self.hub / "state"

    def cluster(self, name: str) -> Path:
        """What only this cluster may read; of its content, adapter and profile alone went to the hub."""
        folder = self.path / "clusters" / name
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    def write_status(self, document: Object, status: FederatedLearningStatus) -> None:
        """The CR as the user wrote it, with its status."""
        metadata = {**document["metadata"], "labels": {**document["metadata"].get("labels", {}), **mirrored(status)}}
        said = status.model_dump(mode="json", by_alias=True, exclude_none=True)
        shown = {**document, "metadata": metadata, "status": said}
        write(self.path / STATUS_FILE, documents.dump(shown))

    def write_json(self, name: str, content: Object) -> None:
        """A file at the top."""
        write(self.path / name, json.dumps(content, indent=1))

    def publish(self, source: Path) -> Path:
        """Bring a result of the aggregator to the top, under its name."""
        target = self.path / source.name
        staging = self.path / f".{source.name}.new"
        if source.is_dir():
            shutil.rmtree(staging, ignore_errors=True)
            shutil.copytree(source, staging)
            shutil.rmtree(target, ignore_errors=True)
        else:
            shutil.copyfile(source, staging)
        staging.replace(target)
        return target


def write(path: Path, text: str, mode: int = 0o644) -> None:
    """Replace a file by `text` in one step, in a folder that is made where there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    files.replace(path, text.encode(), mode)


def _lock(descriptor: int, seconds: float) -> None:
    until = time.monotonic() + seconds
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


def _asked(document: Object) -> Object:
    """What the user wrote, without what a run adds to it."""
    labels = {
        key: value for key, value in document["metadata"].get("labels", {}).items() if key not in (PHASE_LABEL, ROUND_LABEL)
    }
    return {**document, "metadata": {**document["metadata"], "labels": labels}, "status": None}


def _previous(path: Path) -> Object | None:
    try:
        return parse.document(path)
    except Refused:
        return None
