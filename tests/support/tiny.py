"""A tiny LLaVA, made once a test session, and posts whose pictures and captions belong together."""

import atexit
import hashlib
import shutil
import tempfile
from functools import cache
from pathlib import Path

import torch
from PIL import Image, ImageDraw

from fedspoke.collaborator.model import make_tiny
from fedspoke.data.records import CleanRecord

torch.set_num_threads(1)  # for so small a model more threads only wait for each other

COLOURS = {"red": (220, 30, 30), "green": (20, 180, 40), "blue": (30, 60, 220), "yellow": (230, 220, 40)}


@cache
def tiny_llava() -> Path:
    """The folder of the session's tiny model; whoever needs another one makes it."""
    folder = Path(tempfile.mkdtemp(prefix="tiny-llava-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    make_tiny(folder / "model")
    return folder / "model"


def record(text: str, picture: Image.Image | None = None, folder: Path = Path()) -> CleanRecord:
    """A cleaned post; its picture is saved into the folder."""
    id_ = hashlib.sha256(text.encode()).hexdigest()[:16]
    if picture:
        (folder / "images").mkdir(exist_ok=True)
        picture.save(folder / "images" / f"{id_}.jpg")
    return CleanRecord(id=id_, image=f"images/{id_}.jpg" if picture else None, text=text, timestamp=None)


def coloured_shapes(folder: Path) -> list[CleanRecord]:
    """Eight posts with a picture each, saved into the folder: four colours, as a circle and as a square."""
    posts = []
    for colour, rgb in COLOURS.items():
        for shape in ("circle", "square"):
            picture = Image.new("RGB", (80, 64), (245, 245, 245))
            draw = ImageDraw.Draw(picture)
            (draw.ellipse if shape == "circle" else draw.rectangle)((20, 12, 60, 52), fill=rgb)
            posts.append(record(f"a {colour} {shape} today #{colour}", picture, folder))
    return posts
