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
    """Make a tiny LLaVA in the new folder DIR, offline.

    It has 0.2 M parameters and was never trained: for demos and tests.
    """
    from fedspoke.collaborator.model import make_tiny

    make_tiny(directory, seed)


@model.command()
@click.argument("name")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
def download(name: str, directory: Path) -> None:
    """Put the LLaVA called NAME into the new folder DIR.

    NAME is a name on the model hub, such as llava-hf/llava-1.5-7b-hf, a folder in S3, such as s3://models/llava-1.5-7b-hf, or a
    folder's path.
    """
    from fedspoke.collaborator import model_folder

    model_folder.download(name, directory)
