import json
import logging
import os
import pickle
import shutil
import tracemalloc
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedspoke.api.errors import Failed, Refused
from fedspoke.data.exports.export import find
from fedspoke.data.exports.merge import usable
from fedspoke.data.exports.post import RawPost
from support import exports as build
from support.zips import JSON, PHOTOS, Member, crafted, packed, plain

FACEBOOK, INSTAGRAM = build.FACEBOOK_POSTS, build.INSTAGRAM_POSTS
PHOTO = "your_facebook_activity/posts/media/1.jpg"


def read(*paths: Path) -> tuple[list[RawPost], Counter[str]]:
    skipped = Counter[str]()
    return list(find(paths).entries(skipped)), skipped


def texts(*paths: Path) -> list[str]:
    return [entry.text for entry in read(*paths)[0]]


def ada(folder: Path, text: str = "hi") -> Path:
    return build.write(folder, {FACEBOOK: [build.facebook_post(text, PHOTO)]}, photos=[PHOTO])


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
    assert read(packed(export, tmp_path / "e.zip")) == ([], {})


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
        ([FACEBOOK], "your_facebook_activity", "name the folder that holds your_facebook_activity"),
    ],
)
def test_what_is_no_one_export_is_refused_in_a_sentence(tmp_path: Path, files: list[str], named: str, sentence: str) -> None:
    export = build.write(tmp_path / "export", {file: [] for file in files})
    paths = [export / named, packed(export, tmp_path / "e.zip")] if named == "." else [export / named]

    for path in paths:
        with pytest.raises(Refused, match=sentence) as refused:
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


def test_a_platforms_zip_that_is_not_whole_is_a_part_that_is_missing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    packed(ada(tmp_path / "ada"), tmp_path / "zips/facebook-ada-1.zip")
    (tmp_path / "zips/facebook-ada-2.zip").write_bytes(b"PK\3\4 and so on")

    with caplog.at_level(logging.WARNING), pytest.raises(Refused, match="zips holds a zip that is not whole") as refused:
        find([tmp_path / "zips"])

    assert "facebook-ada-2" in caplog.text
    assert "facebook-ada-2" not in str(refused.value)


def test_anybodys_broken_zip_beside_an_export_does_no_harm(tmp_path: Path) -> None:
    packed(ada(tmp_path / "ada"), tmp_path / "zips/facebook-ada-1.zip")
    (tmp_path / "zips/thesis.zip").write_bytes(b"PK\3\4 and so on")

    assert texts(tmp_path / "zips") == ["hi"]


def test_what_looks_like_hundreds_of_parts_is_not_searched(tmp_path: Path) -> None:
    path = plain({f"{number}/media/1.jpg": b"" for number in range(101)}, tmp_path / "e.zip")

    with pytest.raises(Refused, match="holds more than 100 folders that may be parts"):
        find([path])


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


def test_a_pipe_is_neither_a_folder_nor_a_zip_and_nobody_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.zip")

    with pytest.raises(Refused, match="is neither a folder nor a file"):
        find([tmp_path / "pipe.zip"])

    ada(tmp_path / "ada")
    assert texts(tmp_path) == ["hi"]
