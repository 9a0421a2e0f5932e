"""Exports of people who do not exist, as tests and the demo use them."""

import io
import json
import re
import zipfile
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from types import ModuleType

import numpy as np
import phonenumbers
import pillow_heif
import pytest
from PIL import Image

from fedspoke.data.exports import facebook as read_facebook
from fedspoke.data.exports import instagram as read_instagram
from fedspoke.data.exports.post import RawPost
from fedspoke.local.exports import facebook, imagine, instagram, store
from fedspoke.local.exports.darkroom import Darkroom
from fedspoke.local.exports.file import File, as_html
from fedspoke.local.exports.forms import Form
from fedspoke.local.exports.posted import Coordinates, Photo, Posted
from support.exports import parsed

PHOTOGRAPHS = {str(shade): np.full((24, 32, 3), shade, np.uint8) for shade in range(0, 250, 50)}
FORMS = [pytest.param(facebook.files, read_facebook, year, id=f"Facebook {year}") for year in (2018, 2021, 2022, 2026)] + [
    pytest.param(instagram.files, read_instagram, year, id=f"Instagram {year}") for year in (2019, 2022, 2024, 2025, 2026)
]


def imagined(count: int = 300, seed: int = 1) -> list[Posted]:
    return list(imagine.posts(count, sorted(PHOTOGRAPHS), seed=seed))


def files(form: Form, year: int = 2026, **options: int) -> list[File]:
    return list(form(imagined(**options), Darkroom(PHOTOGRAPHS), year))


def found(export: Iterable[File], parser: ModuleType) -> list[RawPost]:
    documents = [file for file in export if file.name.endswith(".json")]
    raw = [entry for file in documents for entry in parsed(parser, file.name, json.loads(file.content))]
    return [entry for entry in raw if entry]


@pytest.mark.parametrize(("form", "parser", "year"), FORMS)
def test_what_was_imagined_is_what_the_platforms_parser_finds(form: Form, parser: ModuleType, year: int) -> None:
    export = files(form, year)
    raw = found(export, parser)

    expected = [post for post in imagined() if post.photos or post.video or parser is read_facebook]
    texts = {words for entry in raw for words in (entry.text, *(medium.text for medium in entry.media))}
    assert {post.text for post in expected} <= texts
    assert {medium.uri for entry in raw for medium in entry.media} == {
        file.name for file in export if not file.name.endswith(".json")
    }
    assert {"post", "story"} <= {entry.kind for entry in raw}
    assert {entry.timestamp for entry in raw} == {post.timestamp for post in expected}


@pytest.mark.parametrize("form", [facebook.files, instagram.files])
def test_the_same_seed_makes_the_same_bytes_and_another_makes_others(form: Form, tmp_path: Path) -> None:
    written = []
    for number, seed in enumerate((1, 1, 2)):
        path = tmp_path / f"{number}.zip"
        store.zips(files(form, count=40, seed=seed), [path])
        written.append(path.read_bytes())

    assert written[0] == written[1] != written[2]


def test_an_export_in_parts_has_each_file_once_and_its_documents_in_the_first(tmp_path: Path) -> None:
    export = files(facebook.files, count=60)
    parts = [tmp_path / f"{part}.zip" for part in (1, 2, 3)]

    store.zips(export, parts)

    names = [zipfile.ZipFile(part).namelist() for part in parts]
    assert sorted(name for part in names for name in part) == sorted(file.name for file in export)
    assert all(names)
    assert not any(name.endswith(".json") for part in names[1:] for name in part)


def test_an_export_in_a_folder_has_the_same_files_as_in_a_zip(tmp_path: Path) -> None:
    export = files(instagram.files, count=40)

    store.folder(export, tmp_path)

    written = {path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert written == {file.name: file.content for file in export}


def test_as_html_an_export_holds_pages_instead_of_documents() -> None:
    pages = [as_html(file) for file in files(facebook.files, count=20)]

    assert not any(page.name.endswith(".json") for page in pages)
    assert "your_facebook_activity/posts/your_posts__check_ins__photos_and_videos_1.html" in {page.name for page in pages}


def test_captions_hold_what_cleaning_is_for_and_lead_to_nobody() -> None:
    text = "\n".join(post.text for post in imagined(3000))

    mails = re.findall(r"[\w.]+@([\w.]+)", text)
    numbers = [match.number for match in phonenumbers.PhoneNumberMatcher(text, None)]
    assert len(re.findall(r"(?<!\w)@\w", text)) > 100
    assert set(mails) == {"example.org"}
    assert {number.country_code for number in numbers} >= {1, 33, 44, 49}
    assert set(re.findall(r"https?://([^/]+)", text)) == {"example.org"}
    assert any(not post.text for post in imagined())
    assert any(re.fullmatch(r"(#\w+ ?)+", post.text) for post in imagined())


def test_hardly_a_caption_comes_twice() -> None:
    texts = [post.text for post in imagined(5000) if len(post.text) > 100]

    assert len(set(texts)) / len(texts) > 0.98


def test_posts_come_in_their_time_and_as_many_as_wanted() -> None:
    times = [post.time for post in islice(imagine.posts(50_000, ["1"], seed=1), 1000)]

    assert times == sorted(times)
    assert len(imagined(17)) == 17


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "avif", "heic"])
def test_a_photo_is_of_its_format_and_notes_where_it_was_taken(suffix: str) -> None:
    pillow_heif.register_heif_opener()
    here = Coordinates(latitude=-28.5, longitude=153.25)

    content = Darkroom(PHOTOGRAPHS).photo(Photo(file="200", format=suffix, gps=here))

    with Image.open(io.BytesIO(content)) as image:
        image.load()
        gps = image.getexif().get_ifd(0x8825)
        colour = image.convert("RGB").getpixel((5, 5))
    assert (gps[1], gps[3]) == ("S", "E")
    assert isinstance(colour, tuple)
    assert all(abs(channel - 200) < 4 for channel in colour)
