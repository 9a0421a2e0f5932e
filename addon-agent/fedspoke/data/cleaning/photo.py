"""A photo as training sees it: upright, sRGB, bounded, and nothing but its pixels.

What a stranger's file can cost is bounded before it is decoded: its bytes, the pixels it declares, the scans of a JPEG. Time
follows from these, since each decoder allowed here does a bounded work for each; whoever cannot trust a decoder that far decodes
in a process that may be ended.
"""

import io
import warnings
from dataclasses import dataclass
from typing import BinaryIO

from pi_heif import register_heif_opener  # type: ignore[import-untyped]  # it ships no types
from PIL import AvifImagePlugin, Image

from fedspoke.data.cleaning import colour
from fedspoke.data.cleaning.look import look

SEEN = 336
"""Pixels a side that LLaVA 1.5's vision tower looks at. Its processor crops the shortest side, which is therefore scaled to less
than twice as many, and never below."""

LONGEST_SIDE = 4 * SEEN
"""Pixels; a bound for panoramas. A photo of up to 2:1 is below it already."""

THINNEST = 8
"""Times that a photo may be longer than it is wide. The processor enlarges the shortest side to what is seen before it crops: a
line of 1344 pixels would become 450,000 × 336, and take a gigabyte."""

MOST_BYTES = 64 * 2**20
MOST_PIXELS = 50 * 10**6
"""A phone's; each takes up to four bytes, up to four times over while a WebP is decoded."""

_MOST_SCANS = 100  # an encoder writes about ten; each costs a pass over all pixels, and a few bytes ask for one

_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "AVIF", "HEIF")  # of Pillow's others, one hands the file to Ghostscript

# One photo a core is decoded at a time: a decoder's own threads would only take turns. A thumbnail may show something else.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1
register_heif_opener(decode_threads=1, thumbnails=False, depth_images=False, aux_images=False)

_ORIENTATION = 0x0112  # EXIF
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class BrokenPhotoError(Exception):
    """The file is no photo that can be decoded, whatever it is called."""


@dataclass(frozen=True, slots=True)
class Photo:
    """`jpeg` is the whole file; `look` is what tells whether another photo shows the same (`look.alike`)."""

    jpeg: bytes
    look: int


def photo(file: BinaryIO) -> Photo:
    """The photo (the first, where one file holds many) as JPEG, without EXIF, comments or thumbnails: places stay behind.

    Raises:
        BrokenPhotoError: it is damaged, no image, or so large or thin that decoding it or looking at it could exhaust the memory.
    """
    try:
        pixels = _pixels(_content(file))
    except BrokenPhotoError:
        raise
    except Exception as error:  # Pillow's decoders raise whatever a damaged file leads them to
        raise BrokenPhotoError("it cannot be decoded") from error
    buffer = io.BytesIO()
    pixels.save(buffer, "JPEG", quality=90)
    return Photo(jpeg=buffer.getvalue(), look=look(pixels))


def _content(file: BinaryIO) -> bytes:
    content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise BrokenPhotoError(f"it has more than {MOST_BYTES} bytes")
    if content.startswith(b"\xff\xd8") and content.count(b"\xff\xda") > _MOST_SCANS:
        raise BrokenPhotoError(f"it has more than {_MOST_SCANS} scans")
    return content


def _pixels(content: bytes) -> Image.Image:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of size, for which there is a limit of our own, and of EXIF
        with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                raise BrokenPhotoError(f"it has more than {MOST_PIXELS} pixels")
            if max(image.size) > THINNEST * min(image.size):
                raise BrokenPhotoError(f"one of its sides is more than {THINNEST} times as long as the other")
            image.draft(None, (SEEN, SEEN))  # a JPEG is decoded at a half, a quarter or an eighth, where that is enough
            image.load()
            pixels = colour.srgb(_reduced(colour.channels(image)), image.info.get("icc_profile"))
            pixels.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
            turn = _turn(image)
    return pixels if turn is None else pixels.transpose(turn)


def _reduced(image: Image.Image) -> Image.Image:
    """By a whole number, each pixel the mean of those it stands for: many times faster than resampling, and as good here."""
    factor = min(image.size) // SEEN
    return image.reduce(factor) if factor > 1 else image


def _turn(image: Image.Image) -> Image.Transpose | None:
    try:
        return _UPRIGHT.get(image.getexif()[_ORIENTATION])
    except Exception:  # noqa: BLE001  many photos have none, some a broken one, and the pixels are whole
        return None
