"""How far a long work has come, on stderr: a line that changes on a terminal, else a new one every few seconds."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from fedspoke.data.progress import Progress


@contextmanager
def shown() -> Iterator["Progress"]:
    """Whoever is given it hears of the work's progress."""
    from fedspoke.data.progress import paced

    if not sys.stderr.isatty():
        yield paced(lambda line: click.echo(line, err=True), seconds=5)
        return
    try:
        yield paced(lambda line: click.echo(f"\r\x1b[K{line}", nl=False, err=True), seconds=0.2)
    finally:
        click.echo("\r\x1b[K", nl=False, err=True)
