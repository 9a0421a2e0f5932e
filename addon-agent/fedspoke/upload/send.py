"""The sending end of an upload: tells what there is, hears what has come before, and sends the rest."""

from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

from pydantic import ValidationError

from fedspoke.api.errors import Final
from fedspoke.kube.exec import CutError
from fedspoke.upload.content import Content
from fedspoke.upload.manifest import Held, Stored, said

T = TypeVar("T")

_CHUNK = 256 << 10


class Channel(Protocol):
    """A line to the receiving end."""

    def write(self, data: bytes) -> None:
        """Raises CutError once nobody takes it."""

    def readline(self) -> bytes:
        """What it has said, without the line's end. Raises CutError where it says no more."""


def send(channel: Channel, content: Content, sent: Callable[[int], None]) -> None:
    """All that the other end lacks.

    Args:
        channel: to a receiver that has just been started.
        content: what is sent.
        sent: hears how many bytes of it are there.

    Raises:
        CutError: the line is cut.
        Final: the receiver cannot take it, or one of the files has changed.
    """
    try:
        channel.write(content.manifest.model_dump_json().encode() + b"\n")
        _send_rest(channel, content, _heard(channel, Held).held, sent)
    except CutError:
        _heard(channel, Stored)  # why, if it has said so
        raise
    _heard(channel, Stored)


def _send_rest(channel: Channel, content: Content, held: Mapping[str, int], sent: Callable[[int], None]) -> None:
    done = sum(held.values())
    sent(done)
    for file in content.manifest.files:
        path = content.paths[file.name]
        with path.open("rb") as source:
            source.seek(held.get(file.name, 0))
            left = file.size - source.tell()
            while left > 0:
                chunk = source.read(min(left, _CHUNK))
                if not chunk:
                    raise Final(f"{path} became shorter while it was sent; upload it again")
                channel.write(chunk)
                left -= len(chunk)
                done += len(chunk)
                sent(done)


def _heard(channel: Channel, kind: type[T]) -> T:
    line = channel.readline()
    try:
        answer = said(line, kind)
    except ValidationError:
        raise Final(f"what receives it says: {line[:200].decode(errors='replace')}; are both of one version?") from None
    if not isinstance(answer, kind):
        raise Final(answer.error)
    return answer
