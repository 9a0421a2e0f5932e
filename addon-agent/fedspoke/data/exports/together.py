"""What a person posted together, where the platform listed each medium on its own."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from fedspoke.data.exports.post import RawPost

_MOST = 10
"""Media of a post, as long as Instagram's file was of that kind."""


def together(entries: Iterable[RawPost]) -> Iterator[RawPost]:
    """Neighbours of one time and one caption are one post, with all their media in order. Stories stay alone, as they were."""
    held: RawPost | None = None
    for entry in entries:
        if held is None:
            held = entry
        elif _of_one_post(held, entry):
            held = replace(held, media=held.media + entry.media)
        else:
            yield held
            held = entry
    if held is not None:
        yield held


def _of_one_post(one: RawPost, other: RawPost) -> bool:
    alike = one.kind == other.kind == "post" and one.timestamp == other.timestamp and one.text == other.text
    return alike and one.timestamp is not None and len(one.media) + len(other.media) <= _MOST
