"""Takes a body that may be gigabytes, from a sender who may vanish or lie, to a file, hashing as it arrives.

Writing and hashing are done by threads in batches, so that the event loop serves the other clusters meanwhile. A body that broke
off is not lost: its file and the hash so far wait for the rest.
"""

import asyncio
import errno
import hashlib
from collections.abc import AsyncIterator
from contextlib import suppress
from io import FileIO
from pathlib import Path

from starlette.requests import ClientDisconnect

_BATCH = 1 << 20
_SLOWEST = 60.0  # seconds for a batch; whoever is slower has in truth stopped
_DRAIN = 0.5  # the same, once the sender is known to have left: what is still between the line's end and here comes at once
_LINGER = 10.0
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class NoRoomError(Exception):
    """The disk cannot hold the body."""


class Arrival:
    """A body on its way to `path`, in one request or, where the line was cut, in several, of which one at a time writes."""

    def __init__(self, path: Path, digest: bytes, whole: int) -> None:
        self.path = path
        self.digest = digest
        """The SHA-256 that it is to have."""
        self.whole = whole
        """Bytes that it is to have."""
        self.size = 0
        """Bytes that are in the file."""
        self.ended = asyncio.Event()
        """No request writes into it."""
        self._sha = hashlib.sha256()
        self._pending: list[bytes] = []
        self._limit: asyncio.Timeout | None = None
        self._stopped = False
        self._full = False

    @property
    def broken_off(self) -> bool:
        """Something is there and something lacks: the rest may follow."""
        return 0 < self.size < self.whole

    @property
    def faithful(self) -> bool:
        """What is in the file has the digest that it is to have."""
        return self._sha.digest() == self.digest

    async def take(self, body: AsyncIterator[bytes]) -> None:
        """Appends the body to the file.

        A body that finds no room is still read to its end, as a sender hears no answer before it has sent all.

        Raises:
            NoRoomError: the disk is full; nothing is kept.
            TimeoutError: the sender has stopped sending, or `stop` was called. What came is kept.
            ClientDisconnect: the line was cut. What came is kept.
        """
        self.ended.clear()
        self._stopped = False
        with self.path.open("ab", buffering=0) as file:
            try:
                await self._fill(file, body)
            finally:
                await asyncio.to_thread(self._store, file)
        if self._full:
            raise NoRoomError

    def stop(self) -> None:
        """Its sender has given up on the request that brings it: only what is on its way will still come that way."""
        self._stopped = True
        if self._limit is not None and self._limit.when() is not None:
            self._limit.reschedule(self._patience())

    async def _fill(self, file: FileIO, body: AsyncIterator[bytes]) -> None:
        held = 0
        try:
            async with asyncio.timeout(_SLOWEST) as self._limit:
                async for chunk in body:
                    self._pending.append(chunk)
                    held += len(chunk)
                    if held >= _BATCH:
                        self._limit.reschedule(None)  # the disk's time is not the sender's
                        await asyncio.to_thread(self._store, file)
                        held = 0
                        self._limit.reschedule(self._patience())
        finally:
            self._limit = None

    def _patience(self) -> float:
        """Until when the next batch may take."""
        return asyncio.get_running_loop().time() + (_DRAIN if self._stopped else _SLOWEST)

    def _store(self, file: FileIO) -> None:
        pieces, self._pending = self._pending, []
        if self._full:
            return
        try:
            for piece in pieces:
                rest = memoryview(piece)
                while rest:
                    rest = rest[file.write(rest) :]
        except OSError as error:
            self.size = 0  # the file holds no one knows what
            file.truncate(0)
            if error.errno not in _NO_ROOM:
                raise
            self._full = True
        else:
            for piece in pieces:
                self._sha.update(piece)
                self.size += len(piece)


async def discard(body: AsyncIterator[bytes]) -> None:
    """Reads on, for some seconds, what will not be used: closing while a sender sends would destroy the answer on its way."""
    with suppress(TimeoutError, ClientDisconnect):
        async with asyncio.timeout(_LINGER):
            async for _ in body:
                pass
