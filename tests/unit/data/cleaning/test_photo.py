import io
import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from fedspoke.data.cleaning import photo as cleaning
from fedspoke.data.cleaning.look import alike
from fedspoke.data.cleaning.photo import LONGEST_SIDE, SEEN, THINNEST, BrokenPhotoError, Photo, photo
from support import photos as build


def cleaned(content: bytes) -> Photo:
    return photo(io.BytesIO(content))


def pixels(content: bytes) -> Image.Image:
    return build.opened(cleaned(content).jpeg)


def colour(image: Image.Image, at: tuple[int, int]) -> str:
    red, green, blue = image.convert("RGB").getpixel(at)  # type: ignore[misc]  # of RGB it is a tuple of three
    return {
        True: "?",
        red > 150 > max(green, blue): "red",
        green > 100 > max(red, blue): "green",
        blue > 150 > max(red, green): "blue",
    }[True]


def quarters(size: tuple[int, int]) -> Image.Image:
    """Red, green and blue from the upper left on, and black: so every turn of it is another picture."""
    image = Image.new("RGB", size)
    width, height = size
    for name, corner in {"red": (0, 0), "green": (width // 2, 0), "blue": (0, height // 2)}.items():
        image.paste(name, (*corner, corner[0] + width // 2, corner[1] + height // 2))
    return image


@pytest.mark.parametrize("kind", ["JPEG", "MPO", "PNG", "WEBP", "GIF", "AVIF", "HEIF"])
def test_photos_of_every_kind_that_people_post_are_read(kind: str) -> None:
    options = {"save_all": True, "append_images": [build.scene(shift=1)]} if kind in ("MPO", "GIF", "WEBP") else {}
    first = build.file(build.scene(), kind, **options)

    assert alike(cleaned(first).look, cleaned(build.file(build.scene())).look)
    assert pixels(first).size == (640, 480)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF"])
def test_a_photo_is_upright_however_the_camera_was_held(kind: str, orientation: int) -> None:
    # What a camera in this position stores is the upright picture, turned back.
    back = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    upright = quarters((96, 64))
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = upright.transpose(back[orientation]) if orientation in back else upright

    image = pixels(build.file(stored, kind, exif=exif.tobytes()))

    assert image.size == (96, 64)
    assert [colour(image, at) for at in ((20, 15), (70, 15), (20, 50))] == ["red", "green", "blue"]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF"])
def test_of_a_photo_nothing_but_its_pixels_is_left(kind: str) -> None:
    exif = Image.Exif()
    exif[0x010F] = "SECRET maker"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    original = build.file(
        build.scene(), kind, exif=exif, icc_profile=profile, xmp=b"<x:xmpmeta>SECRET</x:xmpmeta>", comment=b"SECRET"
    )

    left = pixels(original)

    assert b"SECRET" in original
    assert b"SECRET" not in cleaned(original).jpeg
    assert set(left.info) == {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert not left.getexif()


def test_what_is_hidden_behind_a_photo_stays_behind() -> None:
    assert b"PK\x03\x04" not in cleaned(build.file(build.scene()) + b"PK\x03\x04 a zip").jpeg


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize(
    ("size", "scaled"),
    [
        ((8, 8), (8, 8)),
        ((600, 400), (600, 400)),
        ((1600, 800), (800, 400)),
        ((2048, 1536), (512, 384)),
        ((4000, 500), (1344, 168)),
    ],
)
def test_a_photo_is_as_large_as_the_model_needs(kind: str, size: tuple[int, int], scaled: tuple[int, int]) -> None:
    assert pixels(build.file(Image.new("RGB", size), kind)).size == scaled


@given(st.integers(1, 2000), st.integers(1, 2000))
def test_no_photo_is_larger_than_the_bound_and_none_loses_what_the_model_sees(width: int, height: int) -> None:
    assume(max(width, height) <= THINNEST * min(width, height))
    small = pixels(build.file(Image.new("L", (width, height)), "PNG", compress_level=1)).size

    assert max(small) <= LONGEST_SIDE
    assert min(small) >= min(width, height, SEEN) or max(small) == LONGEST_SIDE
    assert small[0] / small[1] == pytest.approx(width / height, rel=0.02 + 2 / min(small))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L", "CMYK", "1", "I;16"])
def test_every_kind_of_pixel_becomes_rgb(mode: str) -> None:
    image = pixels(build.file(Image.new(mode, (8, 8)), "JPEG" if mode == "CMYK" else "PNG"))

    white = mode in ("RGBA", "LA", "CMYK")  # nothing on it: transparent, or no ink
    assert (image.mode, image.getpixel((4, 4))) == ("RGB", (255,) * 3 if white else (0,) * 3)


def test_sixteen_bits_of_grey_keep_the_upper_eight() -> None:
    image = pixels(build.file(Image.new("I;16", (8, 8), 100 * 256 + 255), "PNG"))

    assert image.getpixel((4, 4)) == (100, 100, 100)


def test_half_transparent_pixels_lie_on_white() -> None:
    image = pixels(build.file(Image.new("RGBA", (8, 8), (0, 0, 0, 128)), "PNG"))

    assert image.getpixel((4, 4)) == (127, 127, 127)


def test_an_edge_to_transparency_takes_no_colour_from_what_nobody_sees() -> None:
    hidden = Image.new("RGBA", (1000, 1000), (255, 0, 0, 0))
    hidden.paste((255, 255, 255, 255), (0, 0, 499, 1000))

    image = pixels(build.file(hidden, "PNG"))

    assert image.getchannel("G").getextrema()[0] == 255  # less green would be a red seam


def wide_gamut() -> io.BytesIO:
    """An sRGB profile whose primaries are pulled apart: the same numbers mean stronger colours, as in Display P3."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes().replace(b"s\0R\0G\0B", b"w\0i\0d\0e"))
    for tag in (b"rXYZ", b"gXYZ", b"bXYZ"):
        entry = profile.index(tag)
        offset = int.from_bytes(profile[entry + 4 : entry + 8]) + 8
        own = {b"rXYZ": 0, b"gXYZ": 1, b"bXYZ": 2}[tag]
        for axis in range(3):
            at = offset + 4 * axis
            value = int.from_bytes(profile[at : at + 4], signed=True)
            profile[at : at + 4] = int(value * (1.15 if axis == own else 0.85)).to_bytes(4, signed=True)
    return io.BytesIO(profile)


@pytest.mark.parametrize(
    ("profile", "shown"),
    [
        pytest.param(wide_gamut, (1, 177, 53), id="of wider primaries: stronger"),
        pytest.param(lambda: ImageCms.createProfile("sRGB"), (60, 160, 60), id="sRGB: the same"),
        pytest.param(lambda: ImageCms.createProfile("LAB"), (60, 160, 60), id="for other channels: the same"),
    ],
)
def test_colours_are_those_that_their_profile_says(profile: Callable[[], Any], shown: tuple[int, int, int]) -> None:
    plain = Image.new("RGB", (64, 64), (60, 160, 60))

    image = pixels(build.file(plain, "PNG", icc_profile=ImageCms.ImageCmsProfile(profile()).tobytes()))

    assert image.getpixel((9, 9)) == pytest.approx(shown, abs=2)


def test_a_broken_profile_or_broken_exif_costs_no_photo() -> None:
    for original in (
        build.file(build.scene(), icc_profile=b"no profile at all"),
        build.file(build.scene(), exif=b"Exif\0\0MM\0\x2a\xff\xff\xff\xff"),
    ):
        assert pixels(original).size == (640, 480)


def test_the_same_file_makes_the_same_photo() -> None:
    original = build.file(build.scene((2000, 1500)))

    assert cleaned(original) == cleaned(original)


JPEG = build.file(build.scene())
BROKEN = {
    "empty": b"",
    "its start alone": JPEG[:40],
    "half": JPEG[: len(JPEG) // 2],
    "a TIFF": build.file(build.scene(), "TIFF"),
    "a text": b"no photo",
    "a PNG of 100,000 pixels a side": build.png(100_000, 100_000),
    "a PNG as wide as PNG allows": build.png(2**31 - 1, 1),
    "a PNG of more pixels than are decoded": build.black(7100),
    "a PNG of far more": build.black(30_000),
    "a JPEG of 65,535 pixels a side": JPEG.replace(b"\x01\xe0\x02\x80", b"\xff\xff\xff\xff"),
    "a progressive JPEG without end": build.endless(build.file(build.scene(), progressive=True), 1000),
    "a text of 100 MB in a PNG": build.png(8, 8, chunks=((b"zTXt", b"k\0\0" + zlib.compress(bytes(100_000_000))),)),
    "a profile of 100 MB in a PNG": build.png(8, 8, chunks=((b"iCCP", b"k\0\0" + zlib.compress(bytes(100_000_000))),)),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_photo_or_too_much_of_one_is_refused(name: str) -> None:
    with pytest.raises(BrokenPhotoError):
        cleaned(BROKEN[name])


@pytest.mark.parametrize("size", [(20_000, 1), (20_000, 3), (3, 20_000), (8 * 50 + 1, 50)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_photo_that_would_take_a_gigabyte_to_look_at_is_refused(kind: str, size: tuple[int, int]) -> None:
    with pytest.raises(BrokenPhotoError, match="8 times as long"):
        cleaned(build.file(Image.new("RGB", size), kind))


def test_a_file_is_read_no_further_than_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleaning, "MOST_BYTES", len(JPEG))
    file = io.BytesIO(JPEG + bytes(1000))

    with pytest.raises(BrokenPhotoError, match="bytes"):
        photo(file)

    assert file.tell() == len(JPEG) + 1


def test_a_program_that_is_called_a_photo_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ghostscript = tmp_path / "bin" / "gs"
    ghostscript.parent.mkdir()
    ghostscript.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    ghostscript.chmod(0o755)
    monkeypatch.setenv("PATH", f"{ghostscript.parent}:{os.environ['PATH']}")

    with pytest.raises(BrokenPhotoError):
        cleaned(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n%%EOF\n")

    assert not (tmp_path / "ran").exists()


@given(st.data())
def test_no_damage_to_a_photo_is_anything_but_a_photo_or_a_broken_one(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["JPEG", "PNG", "WEBP", "GIF", "AVIF", "HEIF"]))
    content = bytearray(build.file(build.scene((64, 48)), kind))
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))

    try:
        image = pixels(bytes(content))
    except BrokenPhotoError:
        return
    assert max(image.size) <= LONGEST_SIDE
