"""Who waits for the end of a long work: whether anybody does, asked before each batch of it, and what they hear meanwhile.

What nobody wants any more ends within a batch.
"""

from collections.abc import Callable

StillWanted = Callable[[], None]
"""Says nothing, or raises what ends the work."""

Tell = Callable[[str], None]
"""Hears how far the work is, in our own words: nothing of a post."""


def always() -> None:
    """The caller stays to the end."""


def silent(_: str) -> None:
    """The caller does not listen."""
