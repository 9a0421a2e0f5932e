import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedspoke.api.errors import Refused
from fedspoke.data.exports.export import read
from fedspoke.data.exports.repair import demojibake
from support import exports as build

FACEBOOK, INSTAGRAM = build.FACEBOOK_POSTS, build.INSTAGRAM_POSTS

typed = st.text(st.characters(exclude_categories=["Cs"]))


@given(typed)
def test_a_mangled_text_is_as_it_was_typed(text: str) -> None:
    assert demojibake(build.mangled(text)) == text


@given(st.text(st.characters(max_codepoint=0x7F) | st.characters(min_codepoint=0xC0, max_codepoint=0xFF)))
def test_right_text_of_latin_letters_stays_as_it_is(text: str) -> None:
    assert demojibake(text) == text


@given(typed, st.characters(min_codepoint=0x100, exclude_categories=["Cs"]), typed)
def test_text_that_holds_any_other_character_was_never_mangled(before: str, other: str, after: str) -> None:
    assert demojibake(before + other + after) == before + other + after


def test_half_a_character_becomes_one_that_a_file_can_hold() -> None:
    assert demojibake(json.loads('"a \\ud83d b"')) == "a \ufffd b"


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
    export = build.write(tmp_path / "export", {FACEBOOK: [build.facebook_post("still here", uri)]}, photos=["shot.jpg"])
    (export / "shot.jpg").rename(export / "shot.bmp")
    (export / "link.jpg").symlink_to(tmp_path / "outside.jpg")

    found = read(export)

    assert [(post.text, post.images) for post in found.posts] == [("still here", ())]
    assert found.skipped == {reason: 1}


def test_every_numbered_file_is_read_and_the_albums_that_repeat_them_add_what_they_lack(tmp_path: Path) -> None:
    folder = "your_facebook_activity/posts"
    album = {"name": "Trip", "photos": [{"uri": "1.jpg", "description": ""}, {"uri": "2.jpg", "description": "only here"}]}
    files = {
        f"{folder}/album/0.json": album,
        f"{folder}/your_posts_10.json": [build.facebook_post("tenth")],
        f"{folder}/your_posts_2.json": [build.facebook_post("second", "1.jpg")],
    }

    export = read(build.write(tmp_path, files, photos=["1.jpg", "2.jpg"]))

    assert [(post.text, post.images) for post in export.posts] == [
        ("only here", ("2.jpg",)),
        ("second", ("1.jpg",)),
        ("tenth", ()),
    ]
    assert export.skipped == {"repeated_media": 1}


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b'{"other": 1}', b"[" * 100_000], ids=["cut", "binary", "other", "deep"])
def test_a_file_that_cannot_be_read_is_counted_and_the_others_are_read(tmp_path: Path, content: bytes) -> None:
    export = build.write(tmp_path, {FACEBOOK: [build.facebook_post("kept")]})
    (export / FACEBOOK).with_name("your_posts_2.json").write_bytes(content)

    found = read(export)

    assert [post.text for post in found.posts] == ["kept"]
    assert found.skipped == {"unreadable_json": 1}


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    export = build.write(tmp_path, {FACEBOOK: [build.facebook_post("kept")]})
    (export / FACEBOOK).write_bytes(b"\xef\xbb\xbf" + (export / FACEBOOK).read_bytes())

    assert [post.text for post in read(export).posts] == ["kept"]


def test_a_posts_file_that_is_a_link_out_of_the_export_is_not_read(tmp_path: Path) -> None:
    other = build.write(tmp_path / "other", {FACEBOOK: [build.facebook_post("somebody else's")]})
    export = build.write(tmp_path / "export", {"your_facebook_activity/posts/your_posts_1.json": []})
    (export / "your_facebook_activity/posts/your_posts_2.json").symlink_to(other / FACEBOOK)

    found = read(export)

    assert (found.posts, found.skipped) == ((), {"unreadable_json": 1})


def test_an_export_is_found_one_folder_down_with_its_photos(tmp_path: Path) -> None:
    build.write(tmp_path / "facebook-ada-2024", {FACEBOOK: [build.facebook_post("hi", "1.jpg")]}, photos=["1.jpg"])

    [post] = read(tmp_path).posts

    assert post.images == ("1.jpg",)


def test_a_link_beside_the_export_does_not_lead_out_of_the_folder(tmp_path: Path) -> None:
    other = build.write(tmp_path / "other", {FACEBOOK: [build.facebook_post("somebody else's")]})
    dataset = build.write(tmp_path / "dataset", {"readme.json": []})
    (dataset / "link").symlink_to(other)

    with pytest.raises(Refused, match="is no Facebook or Instagram export"):
        read(dataset)

    build.write(dataset / "own", {FACEBOOK: [build.facebook_post("my own")]})
    assert [post.text for post in read(dataset).posts] == ["my own"]


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

    assert read(build.write(tmp_path, {name: []})).platform == platform


@pytest.mark.parametrize(
    ("files", "named", "sentence"),
    [
        ([], "absent", "does not exist"),
        (["export.zip"], "export.zip", "is no zip; name the zip as it was downloaded"),
        (["notes.txt"], "notes.txt", "is no zip; .*or the folder"),
        (["notes.txt"], ".", "is no Facebook or Instagram export"),
        (["your_facebook_activity/posts/your_posts_1.html"], ".", "choose the format JSON"),
        (["your_instagram_activity/media/posts_1.html"], ".", "choose the format JSON"),
        ([FACEBOOK, INSTAGRAM], ".", "holds 2 exports; give each a folder of its own"),
        ([FACEBOOK], "your_facebook_activity", "name the folder that holds your_facebook_activity"),
    ],
)
def test_what_is_no_one_export_is_refused_in_a_sentence(tmp_path: Path, files: list[str], named: str, sentence: str) -> None:
    build.write(tmp_path, {file: [] for file in files})

    with pytest.raises(Refused, match=sentence):
        read(tmp_path / named)
