"""A photo of the records as the model sees it, in training and in visual profiles alike: whole, in the middle of a square.

So LLaVA 1.5 was trained. Its processor alone would cut off what lies outside the middle square.
"""

import io
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from fedspoke.api.errors import Failed
from fedspoke.data.sealed import PLAIN, DamagedError, Store

_log = logging.getLogger(__name__)


class LostPhotoError(Failed):
    """A photo of the records cannot be read; it can be made again."""


def pixels(photos: Iterable[tuple[Path, str]], processor: Any, store: Store = PLAIN) -> torch.Tensor:
    """Photos of a store, each with the id of its record, as an image processor gives them to its tower.

    Raises:
        LostPhotoError: one cannot be read.
    """
    background = tuple(int(255 * mean) for mean in processor.image_mean)
    squares = [_square(_read(path, record, store), background) for path, record in photos]
    values: torch.Tensor = processor(images=squares, return_tensors="pt")["pixel_values"]
    return values


def _read(path: Path, record: str, store: Store) -> Image.Image:
    try:
        with Image.open(io.BytesIO(store.read(path)), formats=("JPEG",)) as image:
            return image.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, DamagedError) as error:  # Pillow's, most of them
        _log.error("an image of record %s cannot be read: %s", record, error)  # whose id would let the hub recognise a post
        raise LostPhotoError("an image of a record cannot be read, as the trainer's log says; prepare the data again") from error


def _square(photo: Image.Image, background: tuple[int, ...]) -> Image.Image:
    """In the middle of a square of the processor's mean colour, which becomes zeros (LLaVA's expand2square)."""
    side = max(photo.size)
    square = Image.new("RGB", (side, side), background)
    square.paste(photo, ((side - photo.width) // 2, (side - photo.height) // 2))
    return square
