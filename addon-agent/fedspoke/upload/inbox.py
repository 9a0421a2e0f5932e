"""The receiving end of an upload, in a pod that has the volume: takes files until all are whole, then puts them in place at once.

What comes is kept in the volume's `.incoming`, and a transfer that was cut goes on where it stopped. Another upload than the one
that was begun starts anew; the one that was taken last is not taken twice.
"""

import fcntl
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Protocol

from pydantic import ValidationError

from fedspoke.api import files
from fedspoke.api.errors import Failed, Refused
from fedspoke.api.records import Record, cause
from fedspoke.upload.manifest import INBOX, OUTBOX, Error, File, Held, Manifest, Stored

_CHUNK = 1 << 20
_LONGEST_MANIFEST = 256 << 20
_PATIENCE = 60.0
"""Seconds in which one whose line was cut may notice it."""


class Source(Protocol):
    """A buffered stream of bytes."""

    def readline(self, limit: int, /) -> bytes:
        """A line."""

    def read1(self, most: int, /) -> bytes:
        """What there is, once there is any; nothing at its end."""


def receive(folder: Path, source: Source, sink: BinaryIO, patience: float = _PATIENCE) -> bool:
    """Take one upload from `source` into `folder`, and tell `sink` how it goes. Whether it is there now."""
    try:
        with _alone(folder, patience):
            inbox = Inbox(folder, _manifest(source))
            _say(sink, Held(held=inbox.held()))
            for file in inbox.lacking():
                inbox.take(file, source)
            inbox.place()
    except EOFError:
        return False
    except (Failed, Refused) as error:
        _say(sink, Error(error=str(error)))
        return False
    except PermissionError:
        whose = f"the volume is not writable for user {os.getuid()} of group {os.getgid()}"
        _say(sink, Error(error=f"{whose}: one that is a folder of a node has to be so by itself, `chmod 0777 FOLDER` there"))
        return False
    except OSError as error:
        _say(sink, Error(error=f"the volume takes no more: {error.strerror}"))
        return False
    _say(sink, Stored(stored=inbox.manifest.digest))
    return True


class Inbox:
    """What has come of one upload; its folder's files say how far it is.

    `begun` and `placed` name an upload; `whole` says that all of it is there, `cleared` that nothing from before is in its way.
    """

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.manifest, self._folder = manifest, folder
        self._own, self._old = folder / INBOX, folder / OUTBOX
        self._content = self._own / "content"
        if self._told("begun") != manifest.digest and not self._in_place():
            self._finish()
            shutil.rmtree(self._own, ignore_errors=True)
            self._content.mkdir(parents=True)
            self._tell("begun")
        needed, free = manifest.size - sum(self.held().values()), shutil.disk_usage(folder).free
        if needed > free:
            raise Failed(f"the volume has {free >> 20} MiB free and the upload needs {needed >> 20} MiB more: enlarge its claim")

    def held(self) -> dict[str, int]:
        """Bytes of each file of which there are any."""
        if self._told("whole") or self._in_place():
            return {file.name: file.size for file in self.manifest.files}
        sizes = ((file.name, _size(self._content / file.name) or _size(self._part(file))) for file in self.manifest.files)
        return {name: size for name, size in sizes if size}

    def lacking(self) -> Iterator[File]:
        """The files that are not whole."""
        if not (self._told("whole") or self._in_place()):
            yield from (file for file in self.manifest.files if _size(self._content / file.name) is None)

    def take(self, file: File, source: Source) -> None:
        """The rest of one file.

        Raises:
            EOFError: the line was cut.
            Failed: what came is not what was announced.
        """
        with self._part(file).open("ab") as sink:
            left = file.size - sink.tell()
            while left > 0:
                chunk = source.read1(min(left, _CHUNK))
                if not chunk:
                    raise EOFError
                sink.write(chunk)
                left -= len(chunk)
        if files.sha256(self._part(file)) != file.digest:
            self._part(file).unlink()
            raise Failed(f"{file.name} came with another digest than announced; did it change meanwhile? upload it again")
        path = self._content / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        self._part(file).rename(path)

    def place(self) -> None:
        """All of it takes the place of what was there. Begun once, it is gone on with, wherever it was interrupted.

        Raises:
            Failed: somebody took away meanwhile what had come.
        """
        if not self._in_place():
            if not self._told("whole"):
                os.sync()
                (self._own / "cleared").unlink(missing_ok=True)
                self._tell("whole")
            self._finish()
        if not self._in_place():
            raise Failed("the volume was changed while the upload was put in its place; upload it again")

    def _finish(self) -> None:
        """What is whole, of whichever upload, is put in its place. Nothing is lost if this ends anywhere, and is done again."""
        digest = self._told("whole")
        if not digest:
            return
        if not self._told("cleared"):
            for it in self._folder.iterdir():
                if it.name not in (INBOX, OUTBOX, "lost+found"):
                    self._old.mkdir(exist_ok=True)
                    it.rename(self._old / f"{secrets.token_hex(8)}")  # what is there may have the name of what went before
            self._tell("cleared")
        for it in self._content.iterdir():
            it.rename(self._folder / it.name)
        shutil.rmtree(self._old, ignore_errors=True)
        files.replace(self._own / "placed", digest.encode(), 0o660)
        for done in ("whole", "cleared", "begun"):  # in this order: what is placed must not be taken for what was before
            (self._own / done).unlink(missing_ok=True)

    def _in_place(self) -> bool:
        """Whether it was taken before, and nobody has touched it since."""
        there = self._told("placed") == self.manifest.digest
        return there and all(_size(self._folder / file.name) == file.size for file in self.manifest.files)

    def _part(self, file: File) -> Path:
        name = sha256(file.name.encode()).hexdigest()  # and not the file's digest: another one may have the same
        return self._own / f"{name}.part"

    def _told(self, what: str) -> str:
        path = self._own / what
        return path.read_text() if path.exists() else ""

    def _tell(self, what: str) -> None:
        files.replace(self._own / what, self.manifest.digest.encode(), 0o660)


@contextmanager
def _alone(folder: Path, patience: float) -> Iterator[None]:
    """Nobody else writes to the folder meanwhile."""
    until, descriptor = time.monotonic() + patience, os.open(folder, os.O_RDONLY)
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise Failed("another upload to this volume is at work; wait until it has ended") from None
                time.sleep(0.2)
        yield
    finally:
        os.close(descriptor)


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() else None


def _manifest(source: Source) -> Manifest:
    try:
        return Manifest.model_validate_json(source.readline(_LONGEST_MANIFEST))
    except ValidationError as error:
        raise Refused(f"what announces the upload cannot be used: {cause(error)}") from None


def _say(sink: BinaryIO, it: Record) -> None:
    sink.write(it.model_dump_json().encode() + b"\n")
    sink.flush()
