import io
import itertools
from collections.abc import Callable

import pytest
from PIL import Image

from fedspoke.data.cleaning.look import BYTES, FLAT, SLOPES, alike
from fedspoke.data.cleaning.photo import photo
from support import photos as build

QUOTES = ["love is all you need and nothing else", "never give up on what makes you smile", "work hard dream big stay humble now"]

DIFFERENT: dict[str, Callable[[int], Image.Image]] = {
    "scenes": lambda number: build.scene((2000, 1500), number),
    "sunsets": lambda number: build.sunset(0.4 + 0.05 * number),
    "quotes on one colour": lambda number: build.lettered(QUOTES[number], "navy", "white", lines=6),
    "half-filled pages": lambda number: build.lettered(QUOTES[number], "white", "black", lines=12),
}
FLAT_ONES: dict[str, Callable[[int], Image.Image]] = {
    "plain colours": lambda number: Image.new("RGB", (400, 300), (0, 0, 3 * number)),
    "pages of one line": lambda number: build.lettered(QUOTES[number], "white", "grey", lines=1),
}


def look(image: Image.Image, kind: str = "JPEG", quality: int = 90) -> int:
    return photo(io.BytesIO(build.file(image, kind, quality=quality))).look


def again(image: Image.Image) -> list[int]:
    """As platforms and messengers make it of what they are given."""
    half = image.resize((image.width // 2, image.height // 2))
    larger = image.resize((image.width * 5 // 4, image.height * 5 // 4))
    return [
        look(image, quality=40),
        look(half, quality=70),
        look(larger, quality=60),
        *(look(image, kind, 80) for kind in ("WEBP", "AVIF", "HEIF", "PNG")),
    ]


@pytest.mark.parametrize("kind", DIFFERENT)
def test_a_photo_looks_the_same_after_another_size_another_kind_and_stronger_compression(kind: str) -> None:
    image = DIFFERENT[kind](0)

    assert [alike(look(image), other) for other in again(image)] == [True] * 7


@pytest.mark.parametrize("kind", DIFFERENT | FLAT_ONES)
def test_different_photos_look_different_however_little_is_on_them(kind: str) -> None:
    looks = [look((DIFFERENT | FLAT_ONES)[kind](number)) for number in range(3)]

    assert not any(alike(one, other) for one, other in itertools.combinations(looks, 2))


def test_a_look_is_a_number_of_a_known_size() -> None:
    assert look(Image.new("RGB", (8, 8), "white")) == int.from_bytes(bytes([255] * 256 + [0] * 8))
    assert BYTES == 256 + 8


@pytest.mark.parametrize(("contrast", "same"), [(FLAT - 1, False), (FLAT, True)])
def test_a_photo_without_contrast_looks_like_none(contrast: int, same: bool) -> None:
    flat = int.from_bytes(bytes([100] * 255 + [100 + contrast])) << SLOPES

    assert alike(flat, flat) is same
