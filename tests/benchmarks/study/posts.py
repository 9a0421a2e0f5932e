"""The study's data: real photographs, cut differently for every post, and captions that say what is on them.

Each cluster posts about subjects of its own, some of which others share, in the manner of its platform. So clusters differ as
real ones do, in what they show and in how they speak, and each can learn from the others.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from fedspoke.api.names import PLATFORMS, Platform
from fedspoke.data.records import CleanRecord, record

SUBJECTS = {
    "astronaut.png": "an astronaut in an orange suit",
    "brick.png": "a red brick wall",
    "camera.png": "a man with a film camera",
    "cell.png": "a cell under the microscope",
    "chelsea.png": "a ginger cat",
    "clock_motion.png": "an old clock in a hurry",
    "coffee.png": "a cup of coffee",
    "coins.png": "a tray of ancient coins",
    "grass.png": "tall green grass",
    "gravel.png": "grey gravel on the path",
    "horse.png": "a black horse",
    "hubble_deep_field.jpg": "galaxies far away",
    "moon.png": "craters on the moon",
    "motorcycle_left.png": "a motorbike in the garage",
    "page.png": "a page of an old book",
    "retina.jpg": "the back of an eye",
    "rocket.jpg": "a rocket at the pad",
    "text.png": "handwritten formulas",
}
_FACEBOOK = ("Look what I found today: {}. Have a nice evening, everyone!", "This is {}, as promised to all of you.")
_INSTAGRAM = ("{} #photo #today", "mood: {} #nofilter")
_STYLES: dict[Platform, tuple[str, ...]] = {"facebook": _FACEBOOK, "instagram": _INSTAGRAM}
_SIDE = 160


@dataclass(frozen=True, slots=True)
class Account:
    """Whose posts: the platform's manner, and which subjects."""

    cluster: str
    platform: Platform
    subjects: tuple[str, ...]


def accounts() -> tuple[Account, ...]:
    """Two of each platform; neighbours share four of eight subjects, and all together have all of them."""
    names = tuple(SUBJECTS)
    return tuple(
        Account(f"cluster{number + 1}", platform, tuple(names[(4 * number + index) % len(names)] for index in range(8)))
        for number, platform in enumerate((*PLATFORMS, *PLATFORMS))
    )


def write(account: Account, count: int, folder: Path, photographs: Path, seed: str) -> tuple[CleanRecord, ...]:
    """So many posts of an account, subjects in turn; the photos go to `folder/images`."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    return tuple(_posts(account, count, folder, photographs, random.Random(seed)))


def held_out(platform: Platform, count: int, folder: Path, photographs: Path, seed: str) -> tuple[CleanRecord, ...]:
    """Posts of one platform about all subjects: what the whole federation is there for."""
    return write(Account(f"test-{platform}", platform, tuple(SUBJECTS)), count, folder, photographs, seed)


def _posts(account: Account, count: int, folder: Path, photographs: Path, draw: random.Random) -> Iterator[CleanRecord]:
    for number in range(count):
        subject = account.subjects[number % len(account.subjects)]
        name = f"images/{draw.getrandbits(64):016x}.jpg"
        _cut(photographs / subject, draw).save(folder / name, quality=90)
        yield record(draw.choice(_STYLES[account.platform]).format(SUBJECTS[subject]), [name], None, None)


def _cut(photograph: Path, draw: random.Random) -> Image.Image:
    """A square of it, somewhere, sometimes mirrored: another photo of the same subject."""
    with Image.open(photograph) as image:
        picture = image.convert("RGB")
    side = int(min(picture.size) * draw.uniform(0.6, 1))
    left, top = (draw.randint(0, length - side) for length in picture.size)
    cut = picture.crop((left, top, left + side, top + side)).resize((_SIDE, _SIDE))
    return cut.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if draw.random() < 0.5 else cut
