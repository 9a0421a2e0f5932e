"""An order or an answer inside a Flower message: one ConfigRecord with one entry, `json`. Adapters never travel here."""

from typing import TypeVar

from flwr.app import ConfigRecord, Message, RecordDict
from pydantic import ValidationError

from fedspoke.api.errors import Failed
from fedspoke.api.records import Record

R = TypeVar("R", bound=Record)

_LONGEST = 1 << 22  # characters; an adapter of 8192 tensors is named in 2 million


def pack(record: Record) -> RecordDict:
    """A message's content that says `record`."""
    return RecordDict({"fedspoke": ConfigRecord({"json": record.model_dump_json(by_alias=True)})})


def unpack(message: Message, *kinds: type[R]) -> R:
    """What the message says: a record of one of these kinds (their fields differ, so the fields tell the kind).

    Raises:
        Failed: the message holds none of them.
    """
    entry = message.content.get("fedspoke")
    said = entry.get("json") if isinstance(entry, ConfigRecord) else None
    text = said if isinstance(said, str) and len(said) <= _LONGEST else ""
    for kind in kinds:
        try:
            return kind.model_validate_json(text)
        except ValidationError:
            continue
    expected = " or ".join(kind.__name__ for kind in kinds)
    raise Failed(f"a Flower message of type {message.metadata.message_type} holds no {expected}; do both ends run one version?")
