"""Files that are there whole or not at all, whoever reads them meanwhile and wherever their writer dies; and what they hold."""

import hashlib
import os
import secrets
from pathlib import Path

SUMS = "SHA256SUMS"
"""The file beside others that says what they are, as `sha256sum` writes and checks it."""


def replace(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Give a file this content: after a crash or a power cut it has the old one or the new one.

    Args:
        path: In a folder that exists.
        content: All of it.
        mode: Permissions of the file, less the umask.

    Raises:
        OSError: it cannot be written; the file is as it was.
    """
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")  # of its own: two writers must not share one
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)  # else the new name could outlive the power cut and the content not
        partial.replace(path)
        sync(path.parent)  # else the power cut could bring the old content back, after somebody acted on the new one
    except BaseException:  # a full disk, or Ctrl-C
        partial.unlink(missing_ok=True)
        raise


def sha256(path: Path) -> str:
    """Of a file's content, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path: Path) -> None:
    """What a file holds, or which names a folder does, outlives a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
