"""An export of one post with its photo, and ways in which it comes to lie on a disk: each gives the paths to name."""

import shutil
from pathlib import Path

from support import exports as build
from support.zips import JSON, PHOTOS, packed

PHOTO = "your_facebook_activity/posts/media/1.jpg"


def ada(folder: Path, text: str = "hi") -> Path:
    return build.write(folder, {build.FACEBOOK_POSTS: [build.facebook_post(text, PHOTO)]}, photos=[PHOTO])


def as_it_is(export: Path) -> list[Path]:
    return [export]


def one_folder_down(export: Path) -> list[Path]:
    return [Path(shutil.move(export, export.parent / "down/facebook-ada-2024")).parent]


def zipped(export: Path) -> list[Path]:
    return [packed(export, export.parent / "ada.zip")]


def zipped_one_folder_down(export: Path) -> list[Path]:
    return [packed(export, export.parent / "ada.zip", below="facebook-ada-2024/")]


def zipped_in_a_folder(export: Path) -> list[Path]:
    return [packed(export, export.parent / "downloads/ada.zip", below="facebook-ada-2024/").parent]


def parts_named(export: Path) -> list[Path]:
    photos = packed(export, export.parent / "facebook-ada-1.zip", only=PHOTOS)
    return [photos, packed(export, export.parent / "facebook-ada-2.zip", only=JSON)]


def parts_in_a_folder(export: Path) -> list[Path]:
    packed(export, export.parent / "downloads/facebook-ada-1.zip", only=PHOTOS, below="facebook-ada/")
    return [packed(export, export.parent / "downloads/facebook-ada-2.zip", only=JSON).parent]


def parts_unpacked_side_by_side(export: Path) -> list[Path]:
    photo = export.parent / "side/ada (1)" / PHOTO
    photo.parent.mkdir(parents=True)
    (export / PHOTO).rename(photo)
    shutil.move(export, export.parent / "side/ada")
    return [export.parent / "side"]


def a_zip_beside_what_was_unpacked_of_it(export: Path) -> list[Path]:
    packed(export, export.parent / "both/ada.zip")
    return [Path(shutil.move(export, export.parent / "both/ada")).parent]


def the_same_twice(export: Path) -> list[Path]:
    return [export, packed(export, export.parent / "ada.zip")]


LAYOUTS = [
    as_it_is,
    one_folder_down,
    zipped,
    zipped_one_folder_down,
    zipped_in_a_folder,
    parts_named,
    parts_in_a_folder,
    parts_unpacked_side_by_side,
    a_zip_beside_what_was_unpacked_of_it,
    the_same_twice,
]
