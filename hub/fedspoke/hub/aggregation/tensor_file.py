"""An adapter as a file: named fp16 matrices in safetensors, read and written without ever holding them all.

The format (huggingface/safetensors): a little-endian 64-bit length, that many bytes of JSON naming each tensor's type, shape and
place, then the values, which fill the rest of the file without a gap. A file that a cluster sent is not trusted: its header is
compared with the layout that was agreed before any of its values is read.
"""

import hashlib
import json
import os
import struct
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedspoke.api.errors import Failed, Refused
from fedspoke.api.files import sync
from fedspoke.api.records import Tensor

Half = NDArray[np.float16]
Single = NDArray[np.float32]

FP16 = np.dtype("<f2")
SLACK = 1 << 16  # other libraries may write metadata and padding; more than this is no header of ours
_LENGTH = struct.Struct("<Q")
_BLOCK = 1 << 19  # values, so 1 MiB: fp16 is converted fastest in blocks that stay in the cache


def count(tensor: Tensor) -> int:
    """Values in one tensor."""
    rows, columns = tensor.shape
    return rows * columns


def header(layout: Sequence[Tensor]) -> bytes:
    """The opening of this layout's file, byte for byte as the safetensors library itself writes it (tensors by name)."""
    entries: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    begin = 0
    for tensor in by_name(layout):
        end = begin + FP16.itemsize * count(tensor)
        entries[tensor.name] = {"dtype": "F16", "shape": list(tensor.shape), "data_offsets": [begin, end]}
        begin = end
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _LENGTH.size)
    return _LENGTH.pack(len(text)) + text


def by_name(layout: Sequence[Tensor]) -> list[Tensor]:
    """The order in which a file holds its tensors."""
    return sorted(layout, key=lambda tensor: tensor.name)


def largest(layout: Sequence[Tensor]) -> int:
    """Bytes that no honest file of this layout exceeds."""
    return len(header(layout)) + SLACK + FP16.itemsize * sum(map(count, layout))


def write(path: Path, layout: Sequence[Tensor], values: Callable[[Tensor], Half]) -> str:
    """Asks for one tensor after another and keeps none; the file appears whole or not at all.

    Returns:
        SHA-256 of the file, in hex.
    """
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        digest = hashlib.sha256()
        with os.fdopen(descriptor, "wb") as file:
            opening = header(layout)
            digest.update(opening)
            file.write(opening)
            for tensor in by_name(layout):
                array = np.ascontiguousarray(values(tensor), dtype=FP16)
                digest.update(array.data)
                file.write(array.data)
            file.flush()
            os.fsync(descriptor)  # the name must not outlive a power cut without the values
        Path(temporary).replace(path)
        sync(path.parent)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return digest.hexdigest()


def places(file: BufferedReader, layout: Sequence[Tensor]) -> dict[str, int]:
    """Where in the file each tensor of the layout begins.

    Raises:
        Refused: the file is not exactly this layout's; the sentence names the tensor that does not fit.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    opening = file.read(_LENGTH.size)
    length = _LENGTH.unpack(opening)[0] if len(opening) == _LENGTH.size else size
    data = _LENGTH.size + length
    if data > size or length > len(header(layout)) + SLACK:
        raise Refused("this is no safetensors file: its header does not fit into it")
    entries = _entries(file.read(length))
    expected = {tensor.name: tensor for tensor in layout}
    for name in entries.keys() - expected.keys():
        raise Refused(f"tensor {name!r:.200} is not part of the adapter that was agreed")
    begins = {name: _begin(entries.get(name), tensor) for name, tensor in expected.items()}
    end = 0
    for name, begin in sorted(begins.items(), key=lambda item: item[1]):
        if begin != end:
            raise Refused(f"tensor {name} begins at byte {begin} of the data, where byte {end} follows the tensor before it")
        end += FP16.itemsize * count(expected[name])
    if data + end != size:
        raise Refused(f"the file holds {size - data} bytes of values, and the adapter that was agreed has {end}")
    return {name: data + begin for name, begin in begins.items()}


def blocks(file: BufferedReader, begin: int, length: int) -> Iterator[tuple[slice, Half]]:
    """The `length` values from byte `begin` on, in pieces of 1 MiB; each piece is overwritten by the next."""
    buffer = np.empty(min(_BLOCK, length), FP16)
    for start in range(0, length, _BLOCK):
        piece = buffer[: min(_BLOCK, length - start)]
        # Not by way of the file's own place, which several threads would move.
        if os.preadv(file.fileno(), [piece.data.cast("B")], begin + FP16.itemsize * start) != piece.nbytes:
            raise Refused("the adapter's file is shorter than it was when its header was read")
        yield slice(start, start + piece.size), piece


def half(values: NDArray[np.floating]) -> Half:
    """Rounded to fp16; what lies beyond its range becomes its largest, as an infinity would spoil the adapter for all."""
    largest = np.finfo(FP16).max
    rounded: Half = np.clip(values, -largest, largest).astype(FP16)
    return rounded


class Reader:
    """The tensors of one file, in any order, as fp32: it holds every fp16 exactly, and numpy is six times faster in it."""

    def __init__(self, file: BufferedReader, layout: Sequence[Tensor]) -> None:
        self._file = file
        self._places = places(file, layout)
        self._shapes = {tensor.name: tensor.shape for tensor in layout}

    def values(self, name: str) -> Single:
        """One tensor, whole.

        Raises:
            Failed: it cannot be read.
        """
        result = np.empty(self._shapes[name], np.float32)
        self.read(name, result.reshape(-1))
        return result

    def read(self, name: str, flat: Single) -> None:
        """One tensor, into an array that is there already; several threads may read at once.

        Raises:
            Failed: it cannot be read.
        """
        try:
            for span, piece in blocks(self._file, self._places[name], flat.size):
                flat[span] = piece
        except (OSError, Refused) as error:
            raise Failed(f"{self._file.name} cannot be read to its end: {error}") from error


@contextmanager
def reading(path: Path, layout: Sequence[Tensor]) -> Iterator[Reader]:
    """A file of the hub's own or one that was verified, open for reading.

    Raises:
        Failed: it cannot be opened, or is not of this layout.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise Failed(f"{path} cannot be opened: {error.strerror}") from error
    with file:
        try:
            reader = Reader(file, layout)
        except (OSError, Refused) as error:
            raise Failed(f"{path} cannot be used: {error}") from error
        yield reader


def _entries(text: bytes) -> dict[str, Any]:
    try:
        entries = json.loads(text, object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError):
        raise Refused("this is no safetensors file: its header is no JSON that names each tensor once") from None
    if not isinstance(entries, dict):
        raise Refused("this is no safetensors file: its header is no JSON object")
    entries.pop("__metadata__", None)
    return entries


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is given twice")
    return found


def _begin(entry: Any, tensor: Tensor) -> int:
    """Where in the data one tensor begins, if its entry says what the layout says."""
    match entry:
        case None:
            raise Refused(f"tensor {tensor.name} is missing")
        case {"dtype": str(dtype), "shape": list(shape), "data_offsets": [int(begin), int(end)]}:
            pass
        case _:
            raise Refused(f"tensor {tensor.name} has no dtype, shape and data_offsets as safetensors defines them")
    if dtype != "F16":
        raise Refused(f"tensor {tensor.name} is {dtype:.20}; adapters travel as F16")
    if shape != list(tensor.shape):
        raise Refused(
            f"tensor {tensor.name} has the shape {shape!s:.100}, and the adapter that was agreed has {list(tensor.shape)}"
        )
    if begin < 0 or end - begin != FP16.itemsize * count(tensor):
        raise Refused(f"tensor {tensor.name} lies at bytes {begin} to {end}, which its shape does not fill")
    return begin
