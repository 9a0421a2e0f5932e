"""Tables as plain lines: no markup is read, no word is cut, and what came from clusters cannot steer the terminal."""

import textwrap
from collections.abc import Iterator, Sequence

_GAP = "  "
_INDENT = "    "
_LEAST = 20
"""Room that is worth having beside the other columns; with less, the last column goes below them."""


def lines(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int | None) -> Iterator[str]:
    """The names of the columns, then the rows; the last column is wrapped at spaces where a terminal has a `width`."""
    table = [columns, *([printable(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)][:-1]
    for *first, last in table:
        head = "".join(cell.ljust(room) + _GAP for cell, room in zip(first, widths, strict=True))
        if width is None:
            yield (head + last).rstrip()
        elif width - len(head) >= _LEAST:
            yield from _wrapped(last, head, " " * len(head), width)
        else:
            yield head.rstrip()
            yield from _wrapped(last, _INDENT, _INDENT, width)


def printable(text: str) -> str:
    """Text from elsewhere on one line, without what would move a terminal's cursor or colour its lines."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def _wrapped(text: str, first: str, others: str, width: int) -> list[str]:
    found = textwrap.wrap(
        text, width, initial_indent=first, subsequent_indent=others, break_long_words=False, break_on_hyphens=False
    )
    return found or [first.rstrip()]
