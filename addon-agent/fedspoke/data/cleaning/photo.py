"""A photo as training sees it: upright, RGB, bounded, and nothing but its pixels."""

import io
import warnings
from pathlib import Path

from PIL import Image, ImageOps

LONGEST_SIDE = 672
"""Pixels; twice what LLaVA 1.5's vision tower looks at (336), so that a later crop or model has something to choose from."""


_FORMATS = ("JPEG", "PNG", "WEBP", "GIF")  # of Pillow's others, one hands the file to Ghostscript


class BrokenPhotoError(Exception):
    """The file is no photo that can be decoded, whatever it is called."""


def photo(path: Path) -> bytes:
    """The photo as JPEG, without EXIF, comments, colour profiles or thumbnails: places and devices stay behind.

    Raises:
        BrokenPhotoError: it is damaged, no image, or so large that decoding it could exhaust the memory.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=_FORMATS) as image:
                image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
                upright = ImageOps.exif_transpose(image)
            pixels = _rgb(upright)
    except Exception as error:  # Pillow's decoders raise whatever a damaged file leads them to
        raise BrokenPhotoError from error
    buffer = io.BytesIO()
    pixels.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def _rgb(image: Image.Image) -> Image.Image:
    """On white where it was transparent. A new image, since a converted one would still carry the old one's metadata."""
    canvas = Image.new("RGB", image.size, "white")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        canvas.paste(layer, mask=layer)
    else:
        canvas.paste(image.convert("RGB"))
    return canvas
