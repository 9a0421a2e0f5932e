"""`python -m benchmarks.sealing`: what a key costs a collaborator, in CPU time of the one process that has it.

Photos are decoded in other processes, alike in both cases and not counted here; those who read or write a file wait for this.
"""

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks import exports
from fedspoke.collaborator import photos
from fedspoke.data import records
from fedspoke.data.prepare import prepare
from fedspoke.data.sealed import KEY_BYTES, Store
from fedspoke.local.exports import store

_TIMES = 3


def main() -> None:
    arguments = argparse.ArgumentParser(description="What sealing costs.")
    arguments.add_argument("--posts", type=int, default=1000)
    posts = arguments.parse_args().posts
    with tempfile.TemporaryDirectory() as scratch:
        export = Path(scratch) / "export"
        store.folder(exports._files(posts, 320), export)
        for name, key in [("plain", None), ("sealed", bytes(KEY_BYTES))] * _TIMES:
            own = Store(Path(scratch) / "out", key)
            began = time.monotonic()
            preparing = _cpu(partial(prepare, [export], own.root, lambda *_: None, (), own))
            seconds = time.monotonic() - began
            made = [own.root / image for each in records.load(own.root, own) for image in each.images or (each.image,) if image]
            reading, decoding = (_cpu(partial(_all, own, made, read)) for read in (Store.read, _decoded))
            size = sum(path.stat().st_size for path in own.root.rglob("*") if path.is_file())
            print(
                f"{name:>6}: prepare {preparing:.2f} s of CPU here, {seconds:.1f} s by the clock, {size / 1e6:.1f} MB; "
                f"{len(made)} photos: {reading / len(made) * 1e6:.0f} µs to read, {decoding / len(made) * 1e6:.0f} with decoding"
            )
            shutil.rmtree(own.root)


def _all(own: Store, made: list[Path], read: Callable[[Store, Path], object]) -> None:
    for path in made:
        read(own, path)


def _decoded(own: Store, path: Path) -> object:
    return photos._read(path, "", own)


def _cpu(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


if __name__ == "__main__":
    main()
