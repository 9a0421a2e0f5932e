"""Posts as training batches them, without a model or a picture."""

from pathlib import Path

from fedspoke.collaborator.batches import Example


def examples(pictured: int, plain: int = 0) -> list[Example]:
    """So many with a picture, named `picture-…`, and so many without, `text-…`."""
    return [
        *(Example(id=f"picture-{n}", images=(Path(f"{n}.jpg"),), answer=(1, 2)) for n in range(pictured)),
        *(Example(id=f"text-{n}", images=(), answer=(1, 2)) for n in range(plain)),
    ]
