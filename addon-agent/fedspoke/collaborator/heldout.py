"""Which posts a cluster never trains on, but measures adapters with.

They are those whose ids hash lowest, so that the choice outlives restarts, does not depend on the order of the posts, and holds
nearly all of the same posts after some were added.
"""

import hashlib
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
    """Hold out this share of the posts, of five or more at least one; posts of one id stay together."""
    ids = sorted({post.id for post in posts}, key=lambda id_: hashlib.sha256(id_.encode()).digest())
    count = max(1, round(share * len(ids))) if share > 0 and len(ids) >= _FEWEST else 0
    chosen = set(ids[:count])
    return Split(
        trained=tuple(post for post in posts if post.id not in chosen),
        held=tuple(post for post in posts if post.id in chosen),
    )
