"""The entries of a JSON document of any length, one after the other, each as soon as it is complete.

Posts come out of a list of millions as well as out of a file that was cut off. What is held in memory is one entry, and no
more than an entry can be.
"""

import codecs
from collections.abc import Collection, Iterable, Iterator
from typing import Any, BinaryIO

import ijson
from ijson.backends import yajl2_c

_CHUNK = 1 << 16
_LARGEST = 1 << 22
"""Bytes of an entry. Facebook's longest text has 63,206 characters, each written in up to 24 bytes (four escapes of six)."""
_LONGEST_KEY = 1000
_DEEPEST = 64
"""Lists and objects inside one another; a real entry has a dozen."""


class UnreadableError(Exception):
    """The document ends here for us; what came before is right."""


def entries(file: BinaryIO, prefixes: Collection[str]) -> Iterator[tuple[str, Any]]:
    """Every entry at one of these places, with its place. Where an object names a key twice, the last one counts.

    Args:
        file: JSON as UTF-8 (with a byte order mark or without; bytes that are none become U+FFFD) or UTF-16.
        prefixes: ijson's: `item` for a document that is a list, `photos.item` for the list that its key `photos` holds, and
            `?media` for a document that is the only entry itself, an object with a key `media`, whose lists are none then.

    Raises:
        UnreadableError: from here on it is no JSON, or deeper or larger than any platform's; or nothing is listed there.
        OSError: the file cannot be read from here on.
    """
    document = _Document(prefixes)
    waiting = 0  # bytes since an entry was complete, or anything else was passed by
    for length, events in _parsed(file):
        waiting += length
        for entry in document.entries(events):
            yield entry
            waiting = 0
        if events and not document.nest:
            waiting = 0
        if waiting > _LARGEST:
            raise UnreadableError("an entry is larger than any of a platform")
    if not document.listed:
        raise UnreadableError("it lists nothing where this file should")


class _Document:
    """Where the parser stands: the keys that led there, and what of an entry is built."""

    def __init__(self, prefixes: Collection[str]) -> None:
        self._prefixes = frozenset(prefixes)
        self._alone = [prefix[1:] for prefix in prefixes if prefix.startswith("?")]
        self._lists = {prefix.removesuffix("item").removesuffix(".") for prefix in prefixes}
        self._path: list[str] = []  # `item` stands for a place in a list
        self._places: list[str] = []  # for each step of the path the whole way there, as far as no entry is entered
        self.nest: list[Any] = []  # the entry at hand, in it the list or object at hand, and so on
        self.listed = False

    def entries(self, events: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
        """What these events complete."""
        for event, value in events:
            if event == "map_key":
                self._step(value)
            elif event == "start_map":
                self._open({}, "")
            elif event == "start_array":
                self.listed = self.listed or (not self.nest and self._place in self._lists)
                self._open([], "item")
            elif event in {"end_map", "end_array"}:
                self._path.pop()
                self._places.pop()
                entry = self.nest.pop() if self.nest else None
                if entry is not None and not self.nest:
                    yield from self._complete(entry)
            elif self.nest:
                self._put(value)
            elif self._place in self._prefixes:
                yield self._place, value

    @property
    def _place(self) -> str:
        return self._places[-1] if self._places else ""

    def _step(self, key: str) -> None:
        """To another key of the object at hand. Outside of entries nothing is built, so that its keys alone are to be short."""
        self._path[-1] = key
        if not self.nest:
            if len(key) > _LONGEST_KEY:
                raise UnreadableError("a key is longer than any of a platform")
            self._places[-1] = f"{self._places[-2]}.{key}" if self._places[1:] else key

    def _open(self, container: Any, key: str) -> None:
        if self.nest:
            self._put(container)
        if self.nest or self._is_entry(container):
            self.nest.append(container)
        if len(self._path) == _DEEPEST:
            raise UnreadableError("it is deeper than any platform's")
        self._path.append(key)
        self._places.append(f"{self._place}.{key}" if self._places else key)

    def _complete(self, entry: Any) -> Iterator[tuple[str, Any]]:
        if self._path:
            yield self._place, entry
        elif key := next((key for key in self._alone if key in entry), None):
            self.listed = True
            yield f"?{key}", entry

    def _is_entry(self, container: Any) -> bool:
        if not self._path:
            return isinstance(container, dict) and bool(self._alone)
        return self._place in self._prefixes

    def _put(self, value: Any) -> None:
        if isinstance(self.nest[-1], list):
            self.nest[-1].append(value)
        else:
            self.nest[-1][self._path[-1]] = value


def _parsed(file: BinaryIO) -> Iterator[tuple[int, list[tuple[str, Any]]]]:
    """What yajl reads, chunk by chunk, with the bytes that they took."""
    events = ijson.sendable_list()
    # Decimals would be exact, but a number of 5000 digits would leave a hole in the list of events, and crash Python.
    parser = yajl2_c.basic_parse_coro(events, use_float=True)
    for chunk in _utf8(file):
        broken = None
        try:
            parser.send(chunk)
        except (ijson.JSONError, UnicodeDecodeError) as error:  # the latter: the second half of a character, without the first
            broken = error
        yield len(chunk), events
        if broken:
            raise UnreadableError("it is no JSON") from broken
        del events[:]
    try:
        parser.close()
    except ijson.JSONError as error:
        raise UnreadableError("it is cut off") from error


def _utf8(file: BinaryIO) -> Iterator[bytes]:
    chunk = file.read(_CHUNK)
    decoder = codecs.getincrementaldecoder(_encoding(chunk))("replace")
    while chunk:
        if text := decoder.decode(chunk):  # half a character alone is none yet, and yajl takes nothing for the end
            yield text.encode()
        chunk = file.read(_CHUNK)


def _encoding(start: bytes) -> str:
    """The platforms write ASCII; an editor may have saved it as something else."""
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if start[1:2] == b"\0":
        return "utf-16-le"
    return "utf-16-be" if start[:1] == b"\0" else "utf-8-sig"
