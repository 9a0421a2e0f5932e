"""A model from S3 as a folder of this machine: fetched once, checked by SHA-256, and there whole or not at all.

What a bucket's folder holds at one time has a folder of its own here, so that another model under the same name is another one.
Whoever fetches holds a lock; what a cut leaves is gone on with.
"""

import fcntl
import hashlib
import logging
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path

from fedspoke.api import files
from fedspoke.api.errors import Failed, Refused
from fedspoke.collaborator import sums
from fedspoke.collaborator.bucket import Bucket, Checksum, Entry, UnreachableError
from fedspoke.collaborator.cached import Book

_log = logging.getLogger(__name__)
_CONFIG = "config.json"
_CHECKED = "checked"
"""Beside a model, and none of its files: the SHA-256, size and time of each."""
_MOST = 1 << 20  # bytes of sums


def fetched(url: str, home: Path, patterns: Sequence[str], accept: Callable[[Path], None]) -> Path:
    """The folder of a model.

    Args:
        url: `s3://bucket/folder`.
        home: where models from S3 are kept.
        patterns: which files there are of a model.
        accept: raises if a folder with the model's config.json is none that is wanted; asked before the rest is fetched.

    Raises:
        Refused: it is not there, not open to us, not what is wanted, or has no checksums.
        Failed: it does not come, or not as it was.
    """
    bucket = Bucket(url)
    home = home / bucket.name / _digest(bucket.folder)
    try:
        listed = bucket.entries()
    except UnreachableError:
        before = sorted((it for it in home.glob("[0-9a-f]*") if it.is_dir()), key=lambda it: it.stat().st_mtime)
        if not before:
            raise
        _log.info("%s cannot be reached; what was fetched of it before is taken", url)
        return _checked(before[-1], url)
    model = [it for it in listed if any(fnmatchcase(it.name, pattern) for pattern in patterns)]
    if _CONFIG not in {it.name for it in model}:
        raise Refused(f"{url} is no model: it has no config.json that names a model_type")
    folder = home / _digest(*((it.name, it.size, it.etag) for it in sorted(model, key=lambda it: it.name)))
    with _locked(home):
        if not folder.is_dir():
            partial = folder.with_name(f".{folder.name}")
            partial.mkdir(exist_ok=True)
            said = _said(bucket, next((it for it in listed if it.name == files.SUMS), None))
            _fetch(bucket, sorted(model, key=lambda it: it.name != _CONFIG), said, partial, accept)
            partial.replace(folder)
            for other in home.glob(".*/"):  # begun of what the bucket has no more
                shutil.rmtree(other, ignore_errors=True)
    accept(folder)
    return _checked(folder, url)


def _fetch(
    bucket: Bucket, model: Sequence[Entry], said: Mapping[str, str], partial: Path, accept: Callable[[Path], None]
) -> None:
    """All files, the first of which says what model it is, into a folder where some are already."""
    checksums = {it.name: _known(bucket, it, said) for it in model}
    with Book(partial / _CHECKED) as book:
        for it in model:
            file, known = partial / it.name, checksums[it.name]
            if not file.exists():
                _log.info("%s of %s is fetched, %.1f MB", it.name, bucket.url, it.size / 1e6)
                _take(bucket, it, known, file)
            book.note(file, known.digest.hex() if known.part is None else files.sha256(file))
            if it.name == _CONFIG:
                accept(partial)


def _known(bucket: Bucket, it: Entry, said: Mapping[str, str]) -> Checksum:
    known = bucket.checksum(it) or (Checksum(bytes.fromhex(said[it.name])) if it.name in said else None)
    if known is None:
        right = f"upload it with a SHA-256 (--checksum-algorithm SHA256), or put a {files.SUMS} beside it that lists it"
        raise Refused(f"nothing says what {it.name} of {bucket.url} has to be; {right}")
    return known


def _take(bucket: Bucket, it: Entry, checksum: Checksum, file: Path) -> None:
    """One file, from where an earlier attempt was cut off."""
    part = file.with_name(f"{file.name}.part")
    with part.open("ab") as sink:
        if sink.tell() > it.size:
            sink.truncate(0)
        for chunk in bucket.read(it, sink.tell()) if sink.tell() < it.size else ():
            sink.write(chunk)
        sink.flush()
        os.fsync(sink.fileno())
    if part.stat().st_size < it.size:
        raise Failed(f"S3 broke off while giving {bucket.url}; try again")
    if _sha256(part, checksum.part) != checksum.digest:
        part.unlink()
        raise Failed(f"{it.name} of {bucket.url} is not what its SHA-256 says: it was damaged on its way or there; try again")
    part.replace(file)


def _checked(folder: Path, url: str) -> Path:
    """Once fetched, files are read again only where one looks as if it had changed."""
    with Book(folder / _CHECKED) as book:
        good = book.holds()
    if not good:
        shutil.rmtree(folder, ignore_errors=True)  # another pod may be at it, too
        raise Failed(f"a file of {url} was damaged since it was fetched; try again")
    return folder


def _said(bucket: Bucket, entry: Entry | None) -> dict[str, str]:
    """What the file of sums says, by name."""
    if entry is None:
        return {}
    if entry.size > _MOST:
        raise Refused(f"{files.SUMS} of {bucket.url} has {entry.size} bytes, and a line for each file would be enough")
    return sums.listed(b"".join(bucket.read(entry)).decode(errors="replace"), f"{files.SUMS} of {bucket.url}")


def _sha256(file: Path, part: int | None) -> bytes:
    """Of a whole file, or of the sums of its parts."""
    if part is None:
        return bytes.fromhex(files.sha256(file))
    whole = hashlib.sha256()
    with file.open("rb") as source:
        for _ in range(0, file.stat().st_size, part):
            inner, left = hashlib.sha256(), part
            while left and (chunk := source.read(min(left, 1 << 20))):
                inner.update(chunk)
                left -= len(chunk)
            whole.update(inner.digest())
    return whole.digest()


@contextmanager
def _locked(home: Path) -> Iterator[None]:
    """Alone, among all that fetch into this folder, of whatever pod; the others wait."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _digest(*of: object) -> str:
    return hashlib.sha256(repr(of).encode()).hexdigest()[:16]
