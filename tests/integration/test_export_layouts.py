"""The exports of every year, as folders and as zips: found, read and told alike."""

from collections import Counter
from pathlib import Path

import pytest

from fedspoke.api.errors import Refused
from fedspoke.api.names import Platform
from fedspoke.data.exports.export import find
from fedspoke.data.exports.merge import usable
from fedspoke.data.exports.post import Post
from fedspoke.local.exports import store
from fedspoke.local.exports.file import as_html
from support.exports import imagined

YEARS: list[tuple[Platform, int]] = [
    *(("facebook", year) for year in (2018, 2021, 2022, 2026)),
    *(("instagram", year) for year in (2019, 2022, 2024, 2025, 2026)),
]


def told(*paths: Path) -> tuple[Platform, list[Post], Counter[str]]:
    skipped: Counter[str] = Counter()
    export = find(paths)
    return export.platform, list(usable(export.entries(skipped), export.files.lacking, skipped)), skipped


@pytest.mark.parametrize(("platform", "year"), YEARS)
def test_an_export_of_any_year_says_the_same_in_a_folder_in_a_zip_and_in_parts(
    tmp_path: Path, platform: Platform, year: int
) -> None:
    files = list(imagined(platform, 200, year=year, formats=("jpg", "webp", "heic")))
    parts = [tmp_path / f"{platform}-{part}.zip" for part in (1, 2, 3)]
    store.folder(files, tmp_path / "folder" / f"{platform}-ada-{year}")
    store.zips(files, [tmp_path / "whole.zip"])
    store.zips(files, parts)

    found, posts, skipped = told(tmp_path / "folder")

    assert found == platform
    assert told(tmp_path / "whole.zip") == (found, posts, skipped)
    assert told(*parts) == (found, posts, skipped)
    assert {post.kind for post in posts} >= {"post", "story"}
    assert skipped.keys() <= {"empty_post", "link", "no_text", "repeated_media", "video"}
    assert sum(bool(post.images) for post in posts) > 100
    assert any(len(post.images) > 1 for post in posts)


def test_posts_of_several_photos_are_the_same_in_instagrams_one_file_until_2020(tmp_path: Path) -> None:
    for year in (2019, 2025):
        store.folder(imagined("instagram", 200, year=year), tmp_path / str(year))

    before, since = ([(post.text, post.images) for post in told(tmp_path / year)[1] if post.images] for year in ("2019", "2025"))

    assert before == since


@pytest.mark.parametrize("platform", ["facebook", "instagram"])
def test_an_export_as_html_is_refused_with_what_to_choose_instead(tmp_path: Path, platform: Platform) -> None:
    store.folder((as_html(file) for file in imagined(platform, 20)), tmp_path)

    with pytest.raises(Refused, match="choose the format JSON"):
        find([tmp_path])


def test_posts_that_instagram_lists_a_second_time_are_told_once(tmp_path: Path) -> None:
    for year in (2025, 2026):
        store.folder(imagined("instagram", 200, year=year), tmp_path / str(year))

    _, once, _ = told(tmp_path / "2025")
    _, posts, _ = told(tmp_path / "2026")

    assert posts == once
