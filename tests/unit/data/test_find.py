import logging
import os
import pickle
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from fedspoke.api.errors import Refused
from fedspoke.data.exports.export import find
from support import exports as build
from support.places import LAYOUTS, PHOTO, ada
from support.zips import packed, plain

FACEBOOK, INSTAGRAM = build.FACEBOOK_POSTS, build.INSTAGRAM_POSTS


def texts(*paths: Path) -> list[str]:
    return [entry.text for entry in find(paths).entries(Counter())]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_export_is_found_however_it_was_put_there_with_its_photos(
    tmp_path: Path, layout: Callable[[Path], list[Path]]
) -> None:
    paths = layout(ada(tmp_path / "ada"))
    expected = ada(tmp_path / "expected") / PHOTO

    export = pickle.loads(pickle.dumps(find(paths)))  # noqa: S301  our own bytes

    assert export.platform == "facebook"
    [entry] = export.entries(skipped := Counter[str]())
    assert (entry.text, skipped) == ("hi", {})
    assert export.files.lacking(PHOTO) is None
    assert export.files.lacking("gone.jpg") == "missing_media"
    assert export.files.lacking("../" + PHOTO) == "unsafe_path"
    with export.files.open(PHOTO) as file:
        assert file.read() == expected.read_bytes()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_fingerprint_tells_whether_the_photos_are_still_the_same(
    tmp_path: Path, layout: Callable[[Path], list[Path]]
) -> None:
    paths = layout(ada(tmp_path / "ada"))
    before = find(paths).files.fingerprint()
    assert find(paths).files.fingerprint() == before

    *_, changed = sorted(path for named in paths for path in (named.rglob("*.[jz]*") if named.is_dir() else [named]))
    os.utime(changed, ns=(0, 0))

    assert find(paths).files.fingerprint() != before


def test_a_link_beside_the_export_does_not_lead_out_of_the_folder(tmp_path: Path) -> None:
    other = ada(tmp_path / "other", "somebody else's")
    dataset = build.write(tmp_path / "dataset", {"readme.json": []})
    (dataset / "link").symlink_to(other)
    (dataset / "link.zip").symlink_to(packed(other, tmp_path / "other.zip"))

    with pytest.raises(Refused, match="is no Facebook or Instagram export"):
        find([dataset])

    ada(dataset / "own", "my own")
    assert texts(dataset) == ["my own"]


def test_the_outermost_of_exports_inside_one_another_is_the_one(tmp_path: Path) -> None:
    ada(tmp_path, "outer")
    ada(tmp_path / "backup", "inner")

    assert texts(tmp_path) == ["outer"]


@pytest.mark.parametrize(
    "name",
    [
        FACEBOOK,
        "your_activity_across_facebook/posts/your_posts_1.json",
        "posts/your_posts.json",
        INSTAGRAM,
        "your_instagram_activity/content/posts_1.json",
        "content/posts_1.json",
    ],
)
def test_the_platform_is_known_by_the_layouts_that_it_has_had(tmp_path: Path, name: str) -> None:
    platform = "instagram" if "content" in name or "instagram" in name else "facebook"
    export = build.write(tmp_path / "export", {name: []})

    assert find([export]).platform == find([packed(export, tmp_path / "e.zip")]).platform == platform


@pytest.mark.parametrize("name", ["your_facebook_activity/posts/no-data.txt", "your_instagram_activity/media/no-data.txt"])
def test_who_has_posted_nothing_has_an_export_without_entries(tmp_path: Path, name: str) -> None:
    export = build.write(tmp_path / "export", {name: "no data"})

    assert find([export]).platform in name
    assert texts(packed(export, tmp_path / "e.zip")) == []


@pytest.mark.parametrize(
    ("files", "named", "sentence"),
    [
        ([], "absent", "does not exist"),
        (["notes.txt"], ".", "is no Facebook or Instagram export"),
        (["your_facebook_activity/posts/your_posts_1.html"], ".", "choose the format JSON"),
        (["your_instagram_activity/media/posts_1.html"], ".", "choose the format JSON"),
        (["facebook-ada/your_facebook_activity/posts/your_posts_1.html"], ".", "choose the format JSON"),
        (["your_facebook_activity/messages/inbox/bob_1/message_1.json"], ".", "ask for it again with posts chosen"),
        (["media/posts/202401/1.jpg"], ".", "holds no posts; name all parts of the export"),
        ([FACEBOOK, INSTAGRAM], ".", "holds 2 exports; give each a folder of its own"),
        ([f"ada/{FACEBOOK}", f"bob/{INSTAGRAM}"], ".", "holds 2 exports"),
        ([f"ada/{FACEBOOK}", "bob/posts/your_posts.json"], ".", "holds 2 exports"),
        ([FACEBOOK], "your_facebook_activity", "is only a part of an export; name {tmp_path}/export, the folder above"),
        ([FACEBOOK], "your_facebook_activity/posts", "name {tmp_path}/export, the folder above"),
        ([FACEBOOK], FACEBOOK, "name {tmp_path}/export, the folder above"),
        (["posts/your_posts.json"], "posts", "name {tmp_path}/export, the folder above"),
        ([INSTAGRAM, "media/posts/202401/1.jpg"], "media/posts/202401", "name {tmp_path}/export, the folder above"),
        (["your_facebook_activity/posts/your_posts_1.html"], "your_facebook_activity", "name {tmp_path}/export, the folder"),
    ],
)
def test_what_is_no_one_export_is_refused_in_a_sentence(tmp_path: Path, files: list[str], named: str, sentence: str) -> None:
    export = build.write(tmp_path / "export", {file: [] for file in files})
    paths = [export / named, packed(export, tmp_path / "e.zip")] if named == "." else [export / named]

    for path in paths:
        with pytest.raises(Refused, match=sentence.format(tmp_path=tmp_path)) as refused:
            find([path])
        assert "\n" not in str(refused.value)


def test_json_is_read_where_it_lies_beside_html(tmp_path: Path) -> None:
    build.write(tmp_path, {"your_facebook_activity/posts/your_posts_1.html": [], "sub/" + FACEBOOK: []})

    assert find([tmp_path]).platform == "facebook"


def test_two_peoples_posts_of_one_name_are_two_exports(tmp_path: Path) -> None:
    packed(ada(tmp_path / "a", "ada"), tmp_path / "zips/facebook-ada.zip")
    packed(ada(tmp_path / "b", "bob"), tmp_path / "zips/facebook-bob.zip")

    with pytest.raises(Refused, match="holds 2 exports") as refused:
        find([tmp_path / "zips"])
    assert "facebook-ada" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("ada_20240514_part_2", 2),
        ("facebook-bob-2024-05-14-c3d4", 2),
        ("facebook-ada-2019-01-01-c3d4", 2),
        ("facebook-ada-2024-05-14-c3d4", 1),
        ("rest", 1),
    ],
)
def test_what_the_platform_named_after_others_or_another_day_is_another_export(tmp_path: Path, name: str, count: int) -> None:
    album = {"your_facebook_activity/posts/album/0.json": {"photos": [{"uri": PHOTO, "description": "sea"}]}}
    ada(tmp_path / "facebook-ada-2024-05-14-a1b2")
    packed(build.write(tmp_path / ".album", album), tmp_path / f"{name}.zip")

    if count == 1:
        assert [entry.kind for entry in find([tmp_path]).entries(Counter())] == ["post", "album"]
    else:
        with pytest.raises(Refused, match=f"holds {count} exports"):
            find([tmp_path])


def test_a_path_that_is_no_part_is_told(tmp_path: Path) -> None:
    other = plain({"holiday/1.jpg": b""}, tmp_path / "holiday.zip")

    with pytest.raises(Refused, match=r"holiday\.zip is no part of an export; leave it out"):
        find([ada(tmp_path / "ada"), other])


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"[]", "is no zip; name the zip as it was downloaded"), (b"PK\3\4 and so on", "is not whole: its end is missing")],
)
def test_a_file_that_is_no_whole_zip_is_refused(tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / "ada.zip").write_bytes(content)

    with pytest.raises(Refused, match=rf"ada\.zip {sentence}"):
        find([tmp_path / "ada.zip"])


@pytest.mark.parametrize("name", ["facebook-ada-2", "ada_20190514_part_2"])
def test_a_platforms_zip_that_is_not_whole_is_a_part_that_is_missing(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    packed(ada(tmp_path / "ada"), tmp_path / "zips/facebook-ada-1.zip")
    (tmp_path / f"zips/{name}.zip").write_bytes(b"PK\3\4 and so on")

    with caplog.at_level(logging.WARNING), pytest.raises(Refused, match="zips holds a zip that is not whole") as refused:
        find([tmp_path / "zips"])

    assert name in caplog.text
    assert name not in str(refused.value)


def test_anybodys_broken_zip_beside_an_export_does_no_harm(tmp_path: Path) -> None:
    packed(ada(tmp_path / "ada"), tmp_path / "zips/facebook-ada-1.zip")
    (tmp_path / "zips/thesis.zip").write_bytes(b"PK\3\4 and so on")

    assert texts(tmp_path / "zips") == ["hi"]


def test_what_looks_like_hundreds_of_parts_is_not_searched(tmp_path: Path) -> None:
    path = plain({f"{number}/media/1.jpg": b"" for number in range(101)}, tmp_path / "e.zip")

    with pytest.raises(Refused, match="holds more than 100 folders that may be parts"):
        find([path])


def test_a_pipe_is_neither_a_folder_nor_a_zip_and_nobody_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.zip")

    with pytest.raises(Refused, match="is neither a folder nor a file"):
        find([tmp_path / "pipe.zip"])

    ada(tmp_path / "ada")
    assert texts(tmp_path) == ["hi"]
