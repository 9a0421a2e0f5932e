"""A photo as training sees it: upright, sRGB, bounded, and nothing but its pixels.

What a stranger's file can cost is bounded before it is decoded: bytes read, pixels declared, scans of a progressive JPEG. Time
follows from these, since every decoder allowed here does a bounded work for each; whoever cannot trust a decoder that far ends
its process.
"""

import io
import warnings
from dataclasses import dataclass
from typing import BinaryIO

import imagehash
from PIL import AvifImagePlugin, Image, ImageOps
from pillow_heif import register_heif_opener

LONGEST_SIDE = 672
"""Pixels; twice what LLaVA 1.5's vision tower looks at (336), whose processor crops to the shortest side: a photo of up to 2:1
still fills it."""

MOST_BYTES = 64 * 2**20
MOST_PIXELS = 64 * 10**6
"""A phone's 50 megapixels and some; at most four bytes each, a few times over, while one is decoded."""

_MOST_SCANS = 100  # an encoder writes about ten; each costs a pass over all pixels, and a few bytes ask for one

_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "AVIF", "HEIF")  # of Pillow's others, one hands the file to Ghostscript

# One photo a core is decoded at a time: a decoder's own threads would only take turns.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1
register_heif_opener(decode_threads=1, thumbnails=False, depth_images=False, aux_images=False)


class BrokenPhotoError(Exception):
    """The file is no photo that can be decoded, whatever it is called."""


@dataclass(frozen=True, slots=True)
class Photo:
    """`jpeg` is the whole file; `look` a difference hash, 64 bits of which few differ between photos that look alike."""

    jpeg: bytes
    look: int


def photo(file: BinaryIO) -> Photo:
    """The photo as JPEG, without EXIF, comments, colour profiles or thumbnails: places and devices stay behind.

    Raises:
        BrokenPhotoError: it is damaged, no image, or so large that decoding it could exhaust the memory.
    """
    try:
        pixels = _decoded(_content(file))
    except BrokenPhotoError:
        raise
    except Exception as error:  # Pillow's decoders raise whatever a damaged file leads them to
        raise BrokenPhotoError("it cannot be decoded") from error
    buffer = io.BytesIO()
    pixels.save(buffer, "JPEG", quality=90)
    return Photo(jpeg=buffer.getvalue(), look=int(str(imagehash.dhash(pixels)), 16))


def _content(file: BinaryIO) -> bytes:
    content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise BrokenPhotoError(f"it has more than {MOST_BYTES} bytes")
    if content.startswith(b"\xff\xd8") and content.count(b"\xff\xda") > _MOST_SCANS:
        raise BrokenPhotoError(f"it has more than {_MOST_SCANS} scans")
    return content


def _decoded(content: bytes) -> Image.Image:
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                raise BrokenPhotoError(f"it has more than {MOST_PIXELS} pixels")
            image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
            upright = ImageOps.exif_transpose(image)
        return _rgb(upright)


def _rgb(image: Image.Image) -> Image.Image:
    """On white where it was transparent. A new image, since a converted one would still carry the old one's metadata."""
    canvas = Image.new("RGB", image.size, "white")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        canvas.paste(layer, mask=layer)
    else:
        canvas.paste(image.convert("RGB"))
    return canvas
