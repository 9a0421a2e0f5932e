import json
import tracemalloc
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedspoke.api.errors import Failed
from fedspoke.data.exports.export import find
from fedspoke.data.exports.merge import usable
from fedspoke.data.exports.post import RawPost
from support import exports as build
from support.places import PHOTO, ada, as_it_is, zipped
from support.zips import Member, crafted, packed, plain

FACEBOOK, INSTAGRAM = build.FACEBOOK_POSTS, build.INSTAGRAM_POSTS


def read(*paths: Path) -> tuple[list[RawPost], Counter[str]]:
    skipped = Counter[str]()
    return list(find(paths).entries(skipped)), skipped


def texts(*paths: Path) -> list[str]:
    return [entry.text for entry in read(*paths)[0]]


def test_posts_in_several_parts_are_read_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for number in (2, 10, 1):
        posts = {f"your_facebook_activity/posts/your_posts_{number}.json": [build.facebook_post(str(number))]}
        packed(build.write(tmp_path / str(number), posts), tmp_path / f"zips/facebook-{20 - number}.zip")

    assert texts(tmp_path / "zips") == ["1", "2", "10"]


def test_every_numbered_file_is_read_and_the_albums_that_repeat_them_add_what_they_lack(tmp_path: Path) -> None:
    folder = "your_facebook_activity/posts"
    album = {"name": "Trip", "photos": [{"uri": "1.jpg", "description": ""}, {"uri": "2.jpg", "description": "only here"}]}
    files = {
        f"{folder}/album/0.json": album,
        f"{folder}/your_posts_10.json": [build.facebook_post("tenth")],
        f"{folder}/your_posts_2.json": [build.facebook_post("second", "1.jpg")],
    }
    export, skipped = find([build.write(tmp_path, files, photos=["1.jpg", "2.jpg"])]), Counter[str]()

    posts = {(post.text, post.images) for post in usable(export.entries(skipped), export.files.lacking, skipped)}

    assert posts == {("only here", ("2.jpg",)), ("second", ("1.jpg",)), ("tenth", ())}
    assert skipped == {"repeated_media": 1}


def test_posts_come_before_albums_and_each_says_what_it_is(tmp_path: Path) -> None:
    folder = "your_facebook_activity/posts"
    files = {
        f"{folder}/album/0.json": {"name": "Trip", "photos": [{"uri": "2.jpg"}]},
        f"{folder}/your_posts_1.json": [build.facebook_post("first")],
    }

    entries, _ = read(build.write(tmp_path, files))

    assert [entry.kind for entry in entries] == ["post", "album"]


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("gone.jpg", "missing_media"),
        ("x" * 300 + ".jpg", "missing_media"),
        ("nul\0.jpg", "missing_media"),
        ("shot.bmp", "unsupported_format"),
        ("clip.mp4", "video"),
        ("https://example.org/1.jpg", "remote_media"),
        ("../outside.jpg", "unsafe_path"),
        ("/etc/hostname.jpg", "unsafe_path"),
        ("link.jpg", "unsafe_path"),
    ],
)
def test_a_photo_that_cannot_be_had_is_counted_and_the_text_beside_it_stays(tmp_path: Path, uri: str, reason: str) -> None:
    build.photo(tmp_path / "outside.jpg")
    folder = build.write(tmp_path / "export", {FACEBOOK: [build.facebook_post("still here", uri)]}, photos=["shot.jpg"])
    (folder / "shot.jpg").rename(folder / "shot.bmp")
    (folder / "link.jpg").symlink_to(tmp_path / "outside.jpg")
    export, skipped = find([folder]), Counter[str]()

    posts = list(usable(export.entries(skipped), export.files.lacking, skipped))

    assert [(post.text, post.images) for post in posts] == [("still here", ())]
    assert skipped == {reason: 1}


@pytest.mark.parametrize("layout", [as_it_is, zipped])
@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("media/K\u00e4the/1.jpg", "media/Ka\u0308the/1.jpg"),
        ("media/Ka\u0308the/1.jpg", "media/K\u00e4the/1.jpg"),
        ("media/1.jpg", "media/1.JPG"),
        ("media/1.JPG", "media/1.jpg"),
        ("media/K\u00e4.JPG", "media/Ka\u0308.jpg"),
    ],
)
def test_a_photo_is_found_where_its_name_is_only_spelled_otherwise(
    tmp_path: Path, layout: Callable[[Path], list[Path]], uri: str, name: str
) -> None:
    export = find(layout(build.write(tmp_path / "e", {FACEBOOK: [build.facebook_post("hi", uri)]}, photos=[name])))

    assert export.files.lacking(uri) is None
    with export.files.open(uri) as file:
        assert file.read() == (tmp_path / "e" / name).read_bytes()


@pytest.mark.parametrize(
    ("content", "kept", "reason"),
    [
        (b"", 0, "unreadable_json"),
        (b"{", 0, "unreadable_json"),
        (b"\xff\xfe", 0, "unreadable_json"),
        (b'{"other": 1}', 0, "unreadable_json"),
        (b"[" * 100_000, 0, "unreadable_json"),
        (b'[{"data": [{"post": "kept"}]}, {"da', 1, "truncated_json"),
        (b'[{"data": [{"post": "kept"}]}]\0\0', 1, "truncated_json"),
    ],
    ids=["empty", "cut", "binary", "other", "deep", "cut later", "zeros behind"],
)
def test_a_file_that_cannot_be_read_is_counted_and_named_by_its_kind_and_the_others_are_read(
    tmp_path: Path, content: bytes, kept: int, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    export = build.write(tmp_path, {FACEBOOK: [build.facebook_post("whole")]})
    (export / FACEBOOK).with_name("your_posts_of_ada_2.json").write_bytes(content)

    entries, skipped = read(export)

    assert [entry.text for entry in entries] == ["whole"] + ["kept"] * kept
    assert skipped == {reason: 1}
    [warning] = caplog.messages
    assert warning.startswith(
        f"of a file your_facebook_activity/posts/your_posts*.json only the first {kept} entries could be read"
    )
    assert "ada" not in warning


def test_what_is_no_entry_is_counted_as_an_empty_one(tmp_path: Path) -> None:
    assert read(build.write(tmp_path, {FACEBOOK: ["not a post", 1, None]}))[0] == [RawPost()] * 3


@given(st.binary())
def test_any_bytes_in_a_posts_file_are_read_or_counted(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = plain({FACEBOOK: content}, tmp_path_factory.mktemp("zips") / "e.zip")

    entries, skipped = read(path)

    assert entries or skipped or content.strip() == b"[]"


def test_a_posts_file_that_is_a_link_out_of_the_export_is_not_read(tmp_path: Path) -> None:
    other = build.write(tmp_path / "other", {FACEBOOK: [build.facebook_post("somebody else's")]})
    export = build.write(tmp_path / "export", {"your_facebook_activity/posts/your_posts_1.json": []})
    (export / "your_facebook_activity/posts/your_posts_2.json").symlink_to(other / FACEBOOK)

    assert read(export) == ([], {"unreadable_json": 1})


def test_names_in_a_zip_that_lead_out_or_come_again_are_counted(tmp_path: Path) -> None:
    posts = [
        Member(name=FACEBOOK.encode(), content=b"[]"),
        Member(name=FACEBOOK.encode(), content=b'[{"data": [{"post": "last"}]}]'),
    ]
    path = crafted(tmp_path / "ada.zip", [Member(name=b"../../etc/passwd"), *posts])

    entries, skipped = read(path)

    assert [entry.text for entry in entries] == ["last"]
    assert skipped == {"unsafe_path": 1, "repeated_name": 1}


@pytest.mark.parametrize("layout", [as_it_is, zipped])
def test_an_export_that_is_gone_is_said_to_be_gone(tmp_path: Path, layout: Callable[[Path], list[Path]]) -> None:
    [path] = layout(ada(tmp_path / "ada"))
    export = find([path])
    before = export.files.fingerprint()
    path.rename(tmp_path / "elsewhere")

    assert export.files.fingerprint() != before
    assert export.files.lacking(PHOTO) == "missing_media"
    with pytest.raises(Failed, match="the facebook export can no longer be read"):
        list(export.entries(Counter()))


def test_memory_does_not_grow_with_the_export(tmp_path: Path) -> None:
    few, many = (_peak_of_reading(tmp_path / f"{count}.zip", count) for count in (400, 4_000))

    assert many < few + 4_000 * 64  # a post of this export has 400 bytes, a name 60


def _peak_of_reading(path: Path, count: int) -> int:
    """Bytes held at most while the posts of a zip are read and their photos looked for."""
    posts = [build.facebook_post(f"post {number}", f"media/{number}.jpg") for number in range(count)]
    plain({FACEBOOK: json.dumps(posts).encode(), **{f"media/{number}.jpg": b"" for number in range(count)}}, path)
    tracemalloc.start()
    try:
        export = find([path])
        assert sum(export.files.lacking(entry.media[0].uri) is None for entry in export.entries(Counter())) == count
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
