"""Takes a body that may be gigabytes, from a sender who may vanish or lie, to a file, hashing as it arrives.

Writing and hashing are done by threads in batches, so that the event loop serves the other clusters meanwhile.
"""

import asyncio
import errno
import hashlib
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

from starlette.requests import ClientDisconnect

_BATCH = 1 << 20
_SLOWEST = 60.0  # seconds for a batch; whoever is slower has in truth stopped
_LINGER = 10.0
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class NoRoomError(Exception):
    """The disk cannot hold the body."""


async def spool(body: AsyncIterator[bytes], path: Path) -> bytes:
    """Writes the body to the file.

    A body that finds no room is still read to its end, as a sender hears no answer before it has sent all.

    Returns:
        Its SHA-256.

    Raises:
        NoRoomError: the disk is full.
        TimeoutError: the sender has stopped sending.
    """
    digest = hashlib.sha256()
    full: OSError | None = None
    with path.open("wb", buffering=0) as file:

        def store(batch: bytes) -> None:
            digest.update(batch)
            rest = memoryview(batch)
            while rest:
                rest = rest[file.write(rest) :]

        while batch := await _batch(body):
            if full is None:
                try:
                    await asyncio.to_thread(store, batch)
                except OSError as error:
                    if error.errno not in _NO_ROOM:
                        raise
                    full = error
                    file.truncate(0)
    if full is not None:
        raise NoRoomError from full
    return digest.digest()


async def discard(body: AsyncIterator[bytes]) -> None:
    """Reads on, for some seconds, what will not be used: closing while a sender sends would destroy the answer on its way."""
    with suppress(TimeoutError, ClientDisconnect):
        async with asyncio.timeout(_LINGER):
            async for _ in body:
                pass


async def _batch(body: AsyncIterator[bytes]) -> bytes:
    """The next MiB or so; nothing at the end."""
    chunks: list[bytes] = []
    size = 0
    async with asyncio.timeout(_SLOWEST):
        async for chunk in body:
            chunks.append(chunk)
            size += len(chunk)
            if size >= _BATCH:
                break
    return b"".join(chunks)
