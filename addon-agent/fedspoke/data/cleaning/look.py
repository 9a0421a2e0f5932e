"""How a photo looks: the same after another size, kind or compression, and another where a person would see another photo.

A difference hash alone, of whether 64 slopes rise, finds what may be the same; of sunsets, quotes on one colour and pages of text
it says too little. So what it finds must also be as bright everywhere, in each of 256 fields. And a photo with nothing to see in
any of these fields, as a plain colour or a page with a line on it, looks like no other: all that is particular to it is smaller.
"""

from collections.abc import Iterator

import numpy as np
from PIL import Image

ALIKE_SLOPES = 4
"""Bits of 64 in which the hashes of one photo may differ."""

ALIKE_BRIGHTNESS = 6
"""Levels of 255 by which a field of one photo may differ: sizes and compressions change up to 4, other words on a quote 10."""

FLAT = 24
"""Levels between the darkest and the brightest field, below which nothing tells a photo from others."""

SLOPES = 64  # bits, the lower ones of a look; above them a byte for each field
_SIDE = 16  # fields
BYTES = SLOPES // 8 + _SIDE**2

_RISE = 2  # levels; a smaller slope is noise, which would make a clear sky another sky each time it is compressed
_BANDS = (13, 13, 13, 13, 12)  # bits; five, as four that differ leave one whole


def look(image: Image.Image) -> int:
    """What `alike` compares, as one number of `BYTES` bytes."""
    grey = image.convert("L")
    steps = np.asarray(grey.resize((9, 8), Image.Resampling.BOX), np.int16)
    rises = np.packbits(steps[:, 1:] > steps[:, :-1] + _RISE).tobytes()
    return int.from_bytes(grey.resize((_SIDE, _SIDE), Image.Resampling.BOX).tobytes() + rises)


def alike(one: int, other: int) -> bool:
    """Whether two looks are those of one photo."""
    if ((one ^ other) & ((1 << SLOPES) - 1)).bit_count() > ALIKE_SLOPES:
        return False
    fields, others = _fields(one), _fields(other)
    return bool(np.ptp(fields) >= FLAT and np.ptp(others) >= FLAT and np.abs(fields - others).max() <= ALIKE_BRIGHTNESS)


def bands(look: int) -> Iterator[bytes]:
    """Keys, of which looks that are alike share one at least."""
    for number, bits in enumerate(_BANDS):
        yield b"look" + bytes([number]) + (look & ((1 << bits) - 1)).to_bytes(2)
        look >>= bits


def _fields(look: int) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    return np.frombuffer((look >> SLOPES).to_bytes(_SIDE**2), np.uint8).astype(np.int16)
