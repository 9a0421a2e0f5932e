"""Whether anybody waits for the end of a long work, asked before each batch of it: what nobody wants any more ends within one."""

from collections.abc import Callable

StillWanted = Callable[[], None]
"""Says nothing, or raises what ends the work."""


def always() -> None:
    """The caller stays to the end."""
