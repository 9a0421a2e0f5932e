"""Photographs as a phone uploads them: bounded, in a format of the year, with what its camera noted."""

import io
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image

from fedspoke.local.exports.posted import Coordinates, Photo

_LONGEST_SIDE = 960
VIDEO = bytes.fromhex("00000018667479706d703432000000006d70343269736f6d")
"""An empty video's header."""


class Darkroom:
    """Develops photos from photographs, given as files or as arrays (height, width, channels; uint8)."""

    def __init__(self, photographs: Mapping[str, Path | Any]) -> None:
        self._photographs = photographs
        self.developed = lru_cache(maxsize=256)(self._developed)

    def photo(self, photo: Photo) -> bytes:
        """The file that was uploaded. The same photo has the same bytes."""
        return self.developed(photo.file, photo.box, photo.format, photo.gps)

    def _developed(self, file: str, box: tuple[int, int, int, int] | None, suffix: str, gps: Coordinates | None) -> bytes:
        original = self._photographs[file]
        with Image.open(original) if isinstance(original, Path) else Image.fromarray(original) as image:
            part = image.crop(box) if box else image.copy()
        picture = Image.new("RGB", part.size, "white")
        picture.paste(part, mask=part if part.mode == "RGBA" else None)
        picture.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
        if suffix == "heic":
            import pillow_heif

            pillow_heif.register_heif_opener()
        buffer = io.BytesIO()
        picture.save(buffer, Image.registered_extensions()[f".{suffix}"], quality=90, **_noted(gps))
        return buffer.getvalue()


def _noted(gps: Coordinates | None) -> dict[str, bytes]:
    """The option `exif`, if there is anything to note."""
    if gps is None:
        return {}
    exif = Image.Exif()
    noted = exif.get_ifd(ExifTags.IFD.GPSInfo)
    noted[ExifTags.GPS.GPSLatitudeRef] = "N" if gps.latitude >= 0 else "S"
    noted[ExifTags.GPS.GPSLatitude] = (abs(gps.latitude), 0, 0)
    noted[ExifTags.GPS.GPSLongitudeRef] = "E" if gps.longitude >= 0 else "W"
    noted[ExifTags.GPS.GPSLongitude] = (abs(gps.longitude), 0, 0)
    return {"exif": exif.tobytes()}
