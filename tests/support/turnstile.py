"""A file whose readers go on one after another, as they are let through.

By a lease of the kernel's: whoever opens a file that another process has leased is held up in `open` until the lease is given up,
or for /proc/sys/fs/lease-break-time, 45 seconds. So it needs nothing of the reader, and no reader is too quick for it.
"""

import fcntl
import os
import signal
from pathlib import Path
from types import TracebackType
from typing import Self


class Turnstile:
    """In the place of a file that is read and not written, for the length of a block."""

    def __init__(self, file: Path) -> None:
        self._file, self._content, self._of = file, file.read_bytes(), file.stat()
        self._lease = self._leased()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        os.close(self._lease)

    @property
    def waited_at(self) -> bool:
        """Whether somebody is held up, or was until he was killed."""
        return fcntl.fcntl(self._lease, fcntl.F_GETLEASE) != fcntl.F_WRLCK

    def let_through(self) -> None:
        """Who waits goes on; the next one finds another file, with the same content, and waits there."""
        before, self._lease = self._lease, self._leased()
        os.close(before)

    def _leased(self) -> int:
        """A copy in the file's place, which nobody has ever opened but us."""
        copy = self._file.with_name(f".{self._file.name}.turnstile")
        copy.write_bytes(self._content)
        os.chown(copy, self._of.st_uid, self._of.st_gid)
        copy.chmod(self._of.st_mode & 0o777)
        lease = os.open(copy, os.O_RDONLY)
        fcntl.fcntl(lease, fcntl.F_SETSIG, signal.SIGURG)  # the signal of a reader who waits: SIGIO, the usual one, would end us
        fcntl.fcntl(lease, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        copy.replace(self._file)
        return lease
