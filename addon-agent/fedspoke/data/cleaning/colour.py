"""Pixels of every kind as what a screen would show: sRGB, on white."""

import functools
import io

from PIL import Image, ImageCms

_LARGEST_PROFILE = 4 * 2**20  # bytes; a printer's has 2 MiB
_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def channels(image: Image.Image) -> Image.Image:
    """An image of 8 bits a channel and without a palette, whose pixels may be averaged: L, LA, RGB, RGBA or CMYK."""
    if image.mode.startswith("I"):  # 16 bits of grey, of which Pillow's own conversion would keep the lower 8
        return image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    if image.has_transparency_data:
        return image if image.mode in ("LA", "RGBA") else image.convert("RGBA")
    return image if image.mode in ("L", "RGB", "CMYK") else image.convert("RGB")


def srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """The colours that an image has by its ICC profile, on white. A new image, which carries none of the old one's metadata.

    Photos of phones are Display P3: taken for sRGB, they would be paler than what their owner saw.
    """
    canvas = Image.new("RGB", image.size, "white")
    if image.mode in ("LA", "RGBA"):
        layer = image.convert("RGBA")
        canvas.paste(layer, mask=layer)
        image = canvas
    convert = _conversion(profile, image.mode) if profile and len(profile) < _LARGEST_PROFILE else None
    canvas.paste(image.convert("RGB") if convert is None else convert.apply(image))
    return canvas


@functools.lru_cache(maxsize=8)  # an export knows few profiles, and each takes a millisecond to prepare
def _conversion(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """None where there is nothing to convert: it is sRGB already, broken, or for other channels than the image has."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        name = ImageCms.getProfileName(source).strip()
        if "sRGB" in name or name == "c2":  # Facebook's own, an sRGB of 500 bytes
            return None
        return ImageCms.ImageCmsTransform(source, _SRGB, mode, "RGB")
    except Exception:  # noqa: BLE001  whatever lcms makes of a damaged profile, the photo is whole
        return None
