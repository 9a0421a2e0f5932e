"""Which posts a cluster never trains on, but measures adapters with.

They are those whose ids hash lowest, so that the choice outlives restarts, does not depend on the order of the posts, and holds
nearly all of the same posts after some were added.
"""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from fedspoke.data.records import CleanRecord

_FEWEST = 5
"""Of fewer posts none is held out: the loss on one would say little, and training would miss it much."""


@dataclass(frozen=True, slots=True)
class Split:
    """A cluster's posts, in their order."""

    trained: tuple[CleanRecord, ...]
    held: tuple[CleanRecord, ...]


def split(posts: Sequence[CleanRecord], share: float) -> Split:
    """Hold out this share of the posts, of five or more at least one.

    Posts that say the same, or show the same photo, stay together: on either side of the line one would tell about the other.
    That happens where somebody posts a thing on both platforms. Such a group may make the share a little larger.
    """
    groups = _together(posts)
    count = max(1, round(share * len(posts))) if share > 0 and len(posts) >= _FEWEST else 0
    held = set[int]()
    for group in sorted(groups, key=lambda members: min(_rank(posts[member]) for member in members)):
        if len(held) >= count:
            break
        if len(held) + len(group) < len(posts):  # one post at least is trained on
            held.update(group)
    return Split(
        trained=tuple(post for number, post in enumerate(posts) if number not in held),
        held=tuple(post for number, post in enumerate(posts) if number in held),
    )


def _together(posts: Sequence[CleanRecord]) -> list[list[int]]:
    """The posts by their positions, in groups that share a text or a photo, directly or by way of others."""
    leader, first = list(range(len(posts))), dict[str, int]()

    def led(number: int) -> int:
        while leader[number] != number:
            leader[number] = leader[leader[number]]
            number = leader[number]
        return number

    for number, post in enumerate(posts):
        for mark in _marks(post):
            leader[led(number)] = led(first.setdefault(mark, number))
    groups = defaultdict[int, list[int]](list)
    for number in range(len(posts)):
        groups[led(number)].append(number)
    return list(groups.values())


def _marks(post: CleanRecord) -> list[str]:
    """What posts of one thing have in common: words, however they are spaced, and photos, which are named by what they hold."""
    photos = post.images or ((post.image,) if post.image else ())
    return [" ".join(post.text.casefold().split()), *(photo.rpartition("/")[2] for photo in photos)]


def _rank(post: CleanRecord) -> bytes:
    return hashlib.sha256(post.id.encode()).digest()
