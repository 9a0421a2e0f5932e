"""Pixels of every kind as what a screen would show: sRGB, on white."""

import functools
import io

from PIL import Image, ImageCms

_LARGEST_PROFILE = 4 * 2**20  # bytes; a printer's has 2 MiB
_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def flat(image: Image.Image) -> Image.Image:
    """An image without palette and transparency, of 8 bits a channel: L, RGB or CMYK."""
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        canvas = Image.new("RGB", image.size, "white")
        canvas.paste(layer, mask=layer)
        return canvas
    if image.mode.startswith("I"):  # 16 bits of grey, of which Pillow's own conversion would keep the lower 8
        return image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    return image if image.mode in ("L", "RGB", "CMYK") else image.convert("RGB")


def rgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """A flat image as sRGB, of the colours that its ICC profile says. A new one, which carries none of the old one's metadata.

    Photos of phones are Display P3: taken for sRGB, they would be paler than what their owner saw.
    """
    convert = _conversion(profile, image.mode) if profile and len(profile) < _LARGEST_PROFILE else None
    canvas = Image.new("RGB", image.size)
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
