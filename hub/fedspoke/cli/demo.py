"""`fedspoke demo`: something to run before there is anything of one's own."""

from pathlib import Path

import click

from fedspoke.local.demo import write


@click.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
def demo(directory: Path) -> None:
    """Write a ready example into the new directory DIR."""
    write(directory)
    click.echo(
        f"{directory} is ready; next: fedspoke run {directory}/federatedlearning.yaml --clusters {directory}/clusters --out out"
    )
