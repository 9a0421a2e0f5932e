"""The demo is written once; the tests look at it from all sides. The model in it has tests of its own."""

import json
from collections import Counter
from pathlib import Path

import pytest
import yaml
from PIL import Image, ImageChops, ImageStat

from fedspoke.api import parse
from fedspoke.api.errors import Failed, Refused
from fedspoke.api.names import PLATFORMS, Platform, data_claim, posts_claim
from fedspoke.data import records
from fedspoke.data.inspect import inspect
from fedspoke.data.prepare import prepare
from fedspoke.local import demo

Box = tuple[int, int, int, int]
Cleaned = list[tuple[records.CleanRecord, Path | None]]

SUBJECTS: dict[str, tuple[str, Box | None]] = {  # a word of the caption: the photograph that it is about, and the part of it
    "astronaut": ("astronaut.png", None),
    "rocket": ("rocket.jpg", None),
    "Moon": ("moon.png", None),
    "galaxy": ("hubble_deep_field.jpg", None),
    "coin cabinet": ("coins.png", None),
    "my own eye": ("retina.jpg", None),
    "printed page": ("page.png", None),
    "shuttle": ("astronaut.png", (350, 20, 470, 260)),
    "single bright cell": ("cell.png", None),
    "colour wheel": ("color.png", None),
    "#coffee": ("coffee.png", None),
    "ginger cat": ("chelsea.png", None),
    "green eye": ("chelsea.png", (110, 60, 290, 180)),
    "garage": ("motorcycle_left.png", None),
    "#engine": ("motorcycle_right.png", (250, 180, 500, 400)),
    "camera": ("camera.png", None),
    "brick": ("brick.png", (0, 330, 200, 512)),
    "in the grass": ("grass.png", (170, 0, 330, 160)),
    "gravel": ("gravel.png", (0, 0, 110, 110)),
    "horse": ("horse.png", None),
    "physics": ("text.png", None),
    "tissue": ("ihc.png", None),
    "spoon": ("coffee.png", (310, 150, 470, 360)),
}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("demo")
    demo.write(directory)
    return directory


@pytest.fixture(scope="module")
def cleaned(written: Path, tmp_path_factory: pytest.TempPathFactory) -> Cleaned:
    """Every record of both exports with its photo's path, or None."""
    found: Cleaned = []
    for platform in PLATFORMS:
        folder = tmp_path_factory.mktemp(platform)
        prepare([written / "exports" / platform], folder, lambda *_: None)
        found += [(record, folder / record.image if record.image else None) for record in records.load(folder)]
    return found


def test_everything_that_a_run_needs_is_there(written: Path) -> None:
    assert sorted(path.name for path in written.iterdir()) == ["clusters", "exports", "federatedlearning.yaml", "model"]
    assert (written / "model/config.json").is_file()


def test_the_federation_is_valid_and_names_the_model_and_the_encoder(written: Path) -> None:
    spec = parse.read(written / "federatedlearning.yaml").spec

    assert (spec.server.rounds, spec.server.min_available_clients, spec.training.model.name) == (3, 2, "model")
    assert spec.profiles.encoder == str(demo.encoder())


@pytest.mark.parametrize("platform", PLATFORMS)
def test_one_cluster_offers_each_export_and_counts_its_posts(written: Path, platform: Platform) -> None:
    clusters = [yaml.safe_load(path.read_text()) for path in (written / "clusters").iterdir()]
    claims = [{claim["name"]: claim["value"] for claim in cluster["status"]["clusterClaims"]} for cluster in clusters]

    [offer] = [claim for claim in claims if data_claim(platform) in claim]

    export = inspect([written / "clusters" / offer[data_claim(platform)]], lambda *_: None)
    assert export.platform == platform
    assert offer[posts_claim(platform)] == str(export.posts)
    assert len(clusters) == 3


@pytest.mark.parametrize(
    ("platform", "posts", "photos", "skipped"),
    [
        ("facebook", 13, 11, {"empty_post", "link", "no_text", "repeated_media", "video"}),
        ("instagram", 14, 14, {"no_text", "video"}),
    ],
)
def test_each_export_shows_what_a_real_one_holds(
    written: Path, platform: Platform, posts: int, photos: int, skipped: set[str]
) -> None:
    export = inspect([written / "exports" / platform], lambda *_: None)

    assert (export.posts, export.images) == (posts, photos)
    assert set(export.skipped) == skipped


def test_each_caption_is_paired_with_the_photograph_that_it_is_about(cleaned: Cleaned) -> None:
    named: Counter[str] = Counter()
    for record, photo in cleaned:
        words = [word for word in SUBJECTS if word in record.text]
        if photo is None:
            assert not words
            continue
        [word] = words
        file, box = SUBJECTS[word]
        assert unlikeness(photo, demo._photographs() / file, box) < 10
        named[word] += 1
    assert named == Counter(SUBJECTS.keys())


def test_no_two_photos_are_alike(cleaned: Cleaned) -> None:
    photos = [photo for _, photo in cleaned if photo]

    assert min(unlikeness(one, other) for n, one in enumerate(photos) for other in photos[:n]) > 20


def test_texts_are_mangled_in_the_export_and_right_in_the_records(written: Path, cleaned: Cleaned) -> None:
    raw = b"".join(path.read_bytes() for path in (written / "exports").rglob("*.json"))
    texts = " ".join(record.text for record, _ in cleaned)

    assert all(word in texts for word in ["größer", "Käthe", "☕", "🌕", "été", "sérigraphie", "👩‍🚀", "#moto"])
    assert raw.isascii()
    assert json.dumps("größer") not in raw.decode()


def test_place_address_and_people_are_in_the_export_but_in_no_record(written: Path, cleaned: Cleaned) -> None:
    secrets = [b"203.0.113.77", b"28.39", b"Canaveral", b"Mehmet"]
    exported = b"".join(path.read_bytes() for path in (written / "exports").rglob("*.json"))
    [located] = [path for path in (written / "exports").rglob("*.jpg") if Image.open(path).getexif().get_ifd(0x8825)]
    folders = {photo.parent.parent for _, photo in cleaned if photo}
    made = [path for folder in folders for path in folder.rglob("*") if path.is_file()]

    assert all(secret in exported for secret in secrets)
    assert located.name.startswith("1681967520")  # the rocket's
    assert not any(secret in path.read_bytes() for secret in secrets for path in made)
    assert not any(Image.open(path).getexif() for path in made if path.suffix == ".jpg")


def test_a_directory_with_something_in_it_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")

    with pytest.raises(Refused, match="exists and is not empty"):
        demo.write(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_directory_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")

    with pytest.raises((Refused, Failed), match=r"file/demo cannot be (read|written)"):
        demo.write(tmp_path / "file" / "demo")


def test_a_package_that_is_missing_is_named_with_its_remedy() -> None:
    with pytest.raises(Refused, match=r"needs the package no-photographs; install it with: uv sync --all-extras"):
        demo._package("no_photographs", "no-photographs")


def unlikeness(one: Path, other: Path, box: Box | None = None) -> float:
    """Mean difference of two photos as the tiny LLaVA sees them (56 pixels), of 256 levels: a few for one photo saved as JPEG."""
    small: list[Image.Image] = []
    for path, part in ((one, None), (other, box)):
        with Image.open(path) as image:
            seen = image.crop(part) if part else image.copy()
        canvas = Image.new("RGB", seen.size, "white")
        canvas.paste(seen, mask=seen if seen.mode == "RGBA" else None)
        small.append(canvas.resize((56, 56)))
    return sum(ImageStat.Stat(ImageChops.difference(small[0], small[1])).mean) / 3
