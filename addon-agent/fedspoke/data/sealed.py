"""Files that hold what a person posted: plain, or, where a key is named, sealed so that nobody reads or changes them without it.

A sealed file is one stream of libsodium's secretstream (XChaCha20-Poly1305): pieces of 64 KiB in their order, of which the last
one says that it is. Each is bound to the file's name below the store's root. So a byte that was changed, pieces in another
order, an end that was cut off, and a file in another one's place all show, before anything of them is used.
"""

import hashlib
import io
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from nacl import bindings
from nacl.exceptions import CryptoError
from nacl.utils import random

from fedspoke.api import files
from fedspoke.api.errors import Failed, Refused

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

KEY_BYTES = 32
PIECE = 64 << 10
"""Bytes that are sealed at once."""

_OVERHEAD = bindings.crypto_secretstream_xchacha20poly1305_ABYTES
_HEADER = bindings.crypto_secretstream_xchacha20poly1305_HEADERBYTES
_NONCE = bindings.crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
_MORE = bindings.crypto_secretstream_xchacha20poly1305_TAG_MESSAGE
_LAST = bindings.crypto_secretstream_xchacha20poly1305_TAG_FINAL


class DamagedError(Failed):
    """What is read is not what was written, or was written with another key; it can be made again."""


@dataclass(frozen=True, slots=True)
class Store:
    """The files below one folder, all of them plain or all sealed by one key."""

    root: Path = Path("/")
    key: bytes | None = field(default=None, repr=False)

    @property
    def fingerprint(self) -> str | None:
        """By which one key is told from another, and which tells nothing of it."""
        return self._derived("fingerprint").hex()[:16] if self.key else None

    def create(self, path: Path, of: Path | None = None) -> BinaryIO:
        """A new file, for its owner alone, which is whole once it is closed; `of` is its name to be, if that is another one.

        Raises:
            OSError: it is there already, or cannot be made.
        """
        file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")
        return cast("BinaryIO", _Sealing(file, self._derived("files"), self._place(of or path))) if self.key else file

    def open(self, path: Path) -> BinaryIO:
        """A file, to be read from its beginning to its end.

        Raises:
            OSError: it is not there, or cannot be read.
            DamagedError: also later, whenever what comes next is not what was written.
        """
        file = path.open("rb")
        return io.BufferedReader(_Opened(file, self._derived("files"), path, self._place(path)), PIECE) if self.key else file

    def read(self, path: Path) -> bytes:
        """All of a file.

        Raises:
            OSError: it is not there, or cannot be read.
            DamagedError: it is not what was written.
        """
        with self.open(path) as file:
            return file.read()

    def replace(self, path: Path, content: bytes) -> None:
        """Give a file this content: after a crash or a power cut it has the old one or the new one.

        Raises:
            OSError: it cannot be written; the file is as it was.
        """
        partial = path.with_name(f".{path.name}.partial")
        partial.unlink(missing_ok=True)
        try:
            with self.create(partial, path) as file:
                file.write(content)
            files.sync(partial)  # else the new name could outlive the power cut and the content not
            partial.replace(path)
            files.sync(path.parent)
        except BaseException:  # a full disk, or Ctrl-C
            partial.unlink(missing_ok=True)
            raise

    def seal(self, content: bytes, of: str) -> bytes:
        """A row of a table, which is of one thing and no other."""
        if not self.key:
            return content
        nonce = random(_NONCE)
        sealed = bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(content, of.encode(), nonce, self._derived("rows"))
        return nonce + sealed

    def unseal(self, row: bytes, of: str) -> bytes:
        """What was sealed of this thing.

        Raises:
            DamagedError: it was not.
        """
        if not self.key:
            return row
        nonce, sealed = row[:_NONCE], row[_NONCE:]
        try:
            return bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(sealed, of.encode(), nonce, self._derived("rows"))
        except (CryptoError, ValueError):
            raise DamagedError("a row is not what was written, or was written with another key") from None

    def hidden(self, name: str) -> str:
        """A name to look a row up by: by itself it tells nothing."""
        return hashlib.blake2b(name.encode(), key=self._derived("names"), digest_size=16).hexdigest() if self.key else name

    def _derived(self, use: str) -> bytes:
        """One key a use."""
        return hashlib.blake2b(key=self.key or b"", person=use.encode(), digest_size=KEY_BYTES).digest()

    def _place(self, path: Path) -> bytes:
        return path.relative_to(self.root).as_posix().encode() if self.key else b""


PLAIN = Store()


def key(file: Path) -> bytes:
    """The key that a file holds.

    Raises:
        Refused: it holds none, so that nothing can be sealed.
    """
    makes = f"`head -c {KEY_BYTES} /dev/urandom` makes one"
    try:
        found = file.read_bytes()
    except OSError as error:
        raise Refused(f"the key {file} cannot be read: {error.strerror}; {makes}") from None
    if len(found) != KEY_BYTES:
        raise Refused(f"the key {file} must have {KEY_BYTES} bytes, and has {len(found)}; {makes}")
    return found


class _Sealing(io.RawIOBase):
    """Writes what it is given in sealed pieces; closed, it is whole."""

    def __init__(self, file: BinaryIO, key: bytes, place: bytes) -> None:
        self._file, self._place, self._rest = file, place, bytearray()
        self._state = bindings.crypto_secretstream_xchacha20poly1305_state()
        file.write(bindings.crypto_secretstream_xchacha20poly1305_init_push(self._state, key))

    def writable(self) -> bool:
        return True

    def write(self, content: "ReadableBuffer", /) -> int:
        given = memoryview(content).cast("B")
        for start in range(0, len(given), PIECE):
            self._rest += given[start : start + PIECE]
            if len(self._rest) > PIECE:  # what ends here may be the last one
                self._push(bytes(self._rest[:PIECE]), _MORE)
                del self._rest[:PIECE]
        return len(given)

    def close(self) -> None:
        if self.closed:
            return
        try:
            self._push(bytes(self._rest), _LAST)
        finally:
            super().close()
            self._file.close()

    def _push(self, piece: bytes, tag: int) -> None:
        self._file.write(bindings.crypto_secretstream_xchacha20poly1305_push(self._state, piece, self._place, tag))


class _Opened(io.RawIOBase):
    """Reads what was sealed, a piece at a time, of which nothing is given out before it was found to be what was written."""

    def __init__(self, file: BinaryIO, key: bytes, path: Path, place: bytes) -> None:
        self._file, self._path, self._place = file, path, place
        self._piece, self._ended = memoryview(b""), False
        self._state = bindings.crypto_secretstream_xchacha20poly1305_state()
        try:
            bindings.crypto_secretstream_xchacha20poly1305_init_pull(self._state, file.read(_HEADER), key)
        except (CryptoError, ValueError):
            file.close()
            raise self._damaged() from None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        while not self._piece and not self._ended:
            self._piece = memoryview(self._pulled())
        wanted = memoryview(buffer).cast("B")
        count = min(len(wanted), len(self._piece))
        wanted[:count], self._piece = self._piece[:count], self._piece[count:]
        return count

    def close(self) -> None:
        super().close()
        self._file.close()

    def _pulled(self) -> bytes:
        try:
            piece, tag = bindings.crypto_secretstream_xchacha20poly1305_pull(
                self._state, self._file.read(PIECE + _OVERHEAD), self._place
            )
        except (CryptoError, ValueError):
            raise self._damaged() from None
        self._ended = tag == _LAST
        if self._ended and self._file.read(1):
            raise self._damaged()
        return piece

    def _damaged(self) -> DamagedError:
        return DamagedError(f"{self._path.name} is not what was written, or was written with another key; it is to be made again")
