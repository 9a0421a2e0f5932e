"""Photographs and what only claims to be one, as bytes of a file."""

import io
import random
import struct
import zlib
from typing import Any

from PIL import Image, ImageDraw, ImageFont
from pillow_heif import register_heif_opener

register_heif_opener()  # to write HEIC; what reads it says so itself


def scene(size: tuple[int, int] = (640, 480), shift: int = 0) -> Image.Image:
    """Something to look at: soft and hard edges, and each `shift` another picture."""
    image = Image.linear_gradient("L").resize(size).convert("RGB")
    draw = ImageDraw.Draw(image)
    width, height = size
    for number in range(6):
        left = (number * 37 + shift * 61) % 83 / 100 * width
        top = (number * 53 + shift * 29) % 71 / 100 * height
        colour = ((number * 90 + shift * 40) % 256, (shift * 70) % 256, 255 - number * 40)
        draw.ellipse((left, top, left + width / 4, top + height / 3), fill=colour)
    return image


def sunset(horizon: float) -> Image.Image:
    """A sky that pales towards the sea, and little else: `horizon` is the share of the sky."""
    image = Image.linear_gradient("L").point(lambda level: 250 - level // 2).resize((1200, 800)).convert("RGB")
    image.paste((60, 40, 30), (0, int(800 * horizon), 1200, 800))
    return image


def lettered(words: str, ground: str, ink: str, *, lines: int) -> Image.Image:
    """Words on one colour, from the upper left on: a quote, or a page."""
    image = Image.new("RGB", (1080, 1080), ground)
    chance, known = random.Random(words), words.split()
    text = "\n".join(" ".join(chance.choices(known, k=8)) for _ in range(lines))
    ImageDraw.Draw(image).multiline_text((100, 100), text, ink, font=ImageFont.load_default(28), spacing=20)
    return image


def file(image: Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def opened(jpeg: bytes) -> Image.Image:
    return Image.open(io.BytesIO(jpeg))


def png(
    width: int, height: int, rows: bytes = b"", *, bits: int = 8, colour: int = 2, chunks: tuple[tuple[bytes, bytes], ...] = ()
) -> bytes:
    """A PNG that declares a size, whatever its rows hold (compressed already)."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    every = ((b"IHDR", header), *chunks, (b"IDAT", rows), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in every
    )


def black(side: int) -> bytes:
    """A square PNG of one bit a pixel, whole and valid: so small a file, and so large once it is decoded."""
    squeeze = zlib.compressobj(9)
    rows = b"".join(squeeze.compress(bytes(1 + (side + 7) // 8)) for _ in range(side)) + squeeze.flush()
    return png(side, side, rows, bits=1, colour=0)


def endless(jpeg: bytes, scans: int) -> bytes:
    """A progressive JPEG whose first scan comes again and again: a few bytes each, and a pass over all pixels."""
    start = jpeg.index(b"\xff\xda")
    return jpeg[:start] + jpeg[start : start + 16] * scans + jpeg[start:]
