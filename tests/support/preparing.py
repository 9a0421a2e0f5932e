"""An export of some size, and a run over it that says when to kill it: `python -m support.preparing EXPORT OUT CALLS`."""

import sys
from pathlib import Path

import numpy as np

from fedspoke.data.prepare import prepare
from fedspoke.local.exports import facebook, imagine, store
from fedspoke.local.exports.darkroom import Darkroom


def imagined(folder: Path, posts: int, *, size: int = 160, seed: int = 0) -> Path:
    """So many posts of a person who does not exist, with photos of noise."""
    drawn = np.random.default_rng(seed)
    pixels = {str(n): drawn.integers(0, 256, (size, size * 4 // 3, 3), dtype=np.uint8) for n in range(12)}
    store.folder(facebook.files(imagine.posts(posts, list(pixels), seed=seed), Darkroom(pixels), 2024), folder)
    return folder


def content(folder: Path) -> dict[str, bytes]:
    """All files of a folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def main() -> None:
    export, folder, calls = sys.argv[1:]
    heard = 0

    def progress(*_: object) -> None:
        nonlocal heard
        heard += 1
        if heard == int(calls):
            print("now", flush=True)

    prepare([Path(export)], Path(folder), progress)


if __name__ == "__main__":
    main()
