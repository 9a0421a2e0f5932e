"""`fedspoke model`: the LLaVA that a federation fine-tunes, as a folder."""

from pathlib import Path

import click


@click.group()
def model() -> None:
    """Make a tiny LLaVA, or download the real one."""


@model.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--seed", default=0, show_default=True, help="Same seed, same weights.")
def tiny(directory: Path, seed: int) -> None:
    """Make a LLaVA of 0.2 M parameters in the new folder DIR, offline: for demos and tests."""
    from fedspoke.collaborator.model import make_tiny

    make_tiny(directory, seed)


@model.command()
@click.argument("name")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
def download(name: str, directory: Path) -> None:
    """Put the LLaVA called NAME, such as llava-hf/llava-1.5-7b-hf, into the new folder DIR."""
    from fedspoke.collaborator.model import download as fetch

    fetch(name, directory)
