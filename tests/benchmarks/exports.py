"""`python -m benchmarks.exports`: what it takes to prepare an export, beside what it takes to decode its photos and nothing else.

Memory is that of the whole process tree, shared pages counted once, for exports that differ in their size alone. Speed is told
as two shares: of the photos a second that all cores could decode if they did nothing else (on a machine that others use, less
is left for either), and of the CPU time, in which others do not show.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.meter import Meter
from fedspoke.data.cleaning.photo import photo
from fedspoke.data.workers import cores
from fedspoke.local.exports import facebook, imagine, store
from fedspoke.local.exports.darkroom import Darkroom
from fedspoke.local.exports.posted import Posted

_GIGABYTE = 10**9
_COLUMNS = {
    "posts": "posts",
    "photos": "photos",
    "gigabytes": "GB",
    "inspectSeconds": "inspect, s",
    "seconds": "prepare, s",
    "megabytes": "peak MB",
    "ofDecoding": "of decoding",
    "ofCpu": "of CPU",
}
_FORMS = {"posts": "d", "photos": "d", "gigabytes": ".2f", "inspectSeconds": ".1f", "seconds": ".1f", "megabytes": ".0f"}
_FORMS |= dict.fromkeys(("ofDecoding", "ofCpu"), ".0%")
_SAMPLE = 200  # photos that are decoded for comparison


def main() -> None:
    arguments = argparse.ArgumentParser(description="Memory and speed of `fedspoke data prepare`.")
    arguments.add_argument("--posts", type=int, nargs="+", default=[1000, 50_000])
    arguments.add_argument("--zip", type=float, default=2, help="GB of the zip; 0: none")
    arguments.add_argument("--out", type=Path, default=Path("out/bench-exports.json"))
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        measured = {f"{posts:,} posts": _measure(Path(scratch), posts, 320) for posts in chosen.posts}
        if chosen.zip:
            posts = int(chosen.zip * _GIGABYTE / _bytes_a_post(960))
            measured[f"a zip of {chosen.zip:g} GB"] = _measure(Path(scratch), posts, 960, as_zip=True)
    report = {"cores": cores(), "exports": measured}
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(json.dumps(report, indent=1))
    print("\n" + "".join(f"{title:>{len(title) + 3}}" for title in _COLUMNS.values()))
    for name, row in measured.items():
        print("".join(f"{row[key]:>{len(title) + 3}{_FORMS[key]}}" for key, title in _COLUMNS.items()), "", name)
    print(f"\nof decoding: photos a second, of {cores()} × those of one core that only decodes; of CPU: decoding's share of it.")


def _measure(scratch: Path, posts: int, size: int, *, as_zip: bool = False) -> dict[str, Any]:
    export, out = scratch / "export", scratch / "out"
    if as_zip:
        export = export.with_suffix(".zip")
        store.zips(_files(posts, size), [export])
    else:
        store.folder(_files(posts, size), export)
    paths = [export] if as_zip else [path for path in export.rglob("*") if path.is_file()]
    inspected = _run("inspect", export)
    alone = _decoding(size)
    prepared = _run("prepare", export, out)
    told = json.loads(prepared["stdout"])
    photos = json.loads(inspected["stdout"])["images"]
    row = {
        "posts": posts,
        "photos": photos,
        "records": told["records"],
        "gigabytes": sum(path.stat().st_size for path in paths) / _GIGABYTE,
        "inspectSeconds": inspected["seconds"],
        "seconds": prepared["seconds"],
        "megabytes": prepared["megabytes"],
        "ofDecoding": photos / prepared["seconds"] / (alone * cores()),
        "ofCpu": photos / alone / prepared["cpuSeconds"],
    }
    shutil.rmtree(out)
    export.unlink() if as_zip else shutil.rmtree(export)
    return row


def _run(command: str, *paths: Path) -> dict[str, Any]:
    """`fedspoke data …` in a process of its own, with the most memory that its tree took."""
    began = time.monotonic()
    program = [sys.executable, "-m", "fedspoke.cli", "data", command, *map(str, paths), "-o", "json"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as running:
        meter = Meter(psutil.Process())
        before = cpu = _cpu(meter)
        while running.poll() is None:
            meter.look()
            cpu = max(cpu, _cpu(meter))
            time.sleep(0.2)
        stdout = running.stdout.read() if running.stdout else ""
    if running.returncode:
        sys.exit(running.returncode)
    return {"stdout": stdout, "seconds": time.monotonic() - began, "cpuSeconds": cpu - before, "megabytes": meter.server}


def _cpu(meter: Meter) -> float:
    """CPU seconds of the tree without those of whoever watches it."""
    return meter.sample().cpu - time.process_time()


def _decoding(size: int) -> float:
    """Photos a second of one core, of photos as they are in the export."""
    with tempfile.TemporaryDirectory() as folder:
        store.folder(_files(_SAMPLE, size), Path(folder))
        files = sorted(Path(folder).rglob("*.jpg"))[:_SAMPLE]
        began = time.process_time()
        for path in files:
            with path.open("rb") as file:
                photo(file)
        return len(files) / (time.process_time() - began)


def _files(posts: int, size: int) -> Iterator[Any]:
    drawn = np.random.default_rng(0)
    coarse = drawn.integers(0, 256, (12, size // 8 + 5, size // 8 + 5, 3), dtype=np.uint8)
    pixels = {str(n): one.repeat(8, axis=0).repeat(8, axis=1) for n, one in enumerate(coarse)}
    for name, one in pixels.items():
        pixels[name] = one ^ drawn.integers(0, 32, one.shape, dtype=np.uint8)  # grain: a photo of 960 pixels then has 400 kB
    return facebook.files(_varied(imagine.posts(posts, list(pixels)), size), Darkroom(pixels), 2024)


def _varied(posts: Iterable[Posted], size: int) -> Iterator[Posted]:
    """Each photo another part of a photograph, so that no two files are the same."""
    number = 0
    for post in posts:
        photos = []
        for one in post.photos:
            number += 1
            left, top = number % 40, number // 40 % 40
            photos.append(one.model_copy(update={"box": (left, top, left + size, top + size * 3 // 4)}))
        yield post.model_copy(update={"photos": tuple(photos)})


def _bytes_a_post(size: int) -> float:
    return sum(len(file.content) for file in _files(100, size)) / 100


if __name__ == "__main__":
    main()
