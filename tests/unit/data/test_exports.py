import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedspoke.api.errors import Refused
from fedspoke.data.exports import facebook, instagram
from fedspoke.data.exports.export import read
from fedspoke.data.exports.post import RawPost, usable
from fedspoke.data.exports.repair import demojibake, repaired
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


keys = st.sampled_from(
    (
        *("media", "uri", "title", "description", "attachments", "data", "post", "timestamp", "creation_timestamp"),
        *("external_context", "url", "photos", "other_photos_v2", "videos_v2", "ig_stories"),
    )
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.sampled_from(["a.jpg", "b.mp4"])
documents = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4))


@pytest.mark.parametrize("parser", [facebook, instagram], ids=["facebook", "instagram"])
@given(document=documents)
def test_any_json_is_read_without_an_error_and_every_post_is_kept_or_counted(parser: Any, document: Any) -> None:
    raw = parser.parse(repaired(document)) or []

    posts, skipped = usable(raw, lambda _: None)

    assert all(post.text for post in posts)
    assert len(posts) + skipped.total() >= len(raw)


def test_a_facebook_post_is_its_text_with_its_photo(tmp_path: Path) -> None:
    post = build.facebook_post("Zoë am Strand 🏖", "posts/media/1.jpg", at=1_600_000_000)

    [found] = read(build.write(tmp_path, {FACEBOOK: [post]}, photos=["posts/media/1.jpg"])).posts

    assert (found.text, found.image, found.timestamp) == ("Zoë am Strand 🏖", "posts/media/1.jpg", 1_600_000_000)


def test_the_paragraphs_of_a_facebook_post_stay_apart() -> None:
    [post] = facebook.parse([{"data": [{"post": "one "}, {"update_timestamp": 1}, {"post": "two"}]}]) or []

    assert post.text == "one\n\ntwo"


@pytest.mark.parametrize("value", [0, -1, True, 10**18, 1.5, "1600000000", None])
def test_a_time_that_is_none_is_not_made_up(value: object) -> None:
    [post] = facebook.parse([{"timestamp": value, "data": [{"post": "when?"}]}]) or []

    assert post.timestamp is None


def test_an_instagram_story_is_a_medium_without_a_post_around_it() -> None:
    stories = {"ig_stories": [{"uri": "1.jpg", "creation_timestamp": 9, "title": "tonight"}]}

    assert instagram.parse(stories) == [RawPost(text="tonight", timestamp=9, media=("1.jpg",))]


def test_a_carousel_has_the_time_of_its_post_rather_than_of_its_first_photo() -> None:
    carousel = {
        "creation_timestamp": 20,
        "title": "both",
        "media": [{"uri": "1.jpg", "creation_timestamp": 10}, {"uri": "2.jpg"}],
    }

    assert instagram.parse([carousel]) == [RawPost(text="both", timestamp=20, media=("1.jpg", "2.jpg"))]


def test_a_facebook_photo_brings_its_caption_where_the_post_has_no_text(tmp_path: Path) -> None:
    post = build.facebook_post("", "1.jpg", caption="Größe zählt nicht")

    export = read(build.write(tmp_path, {FACEBOOK: [post]}, photos=["1.jpg"]))

    assert [post.text for post in export.posts] == ["Größe zählt nicht"]


@pytest.mark.parametrize("media", [["1.jpg"], ["1.jpg", "2.jpg"]], ids=["caption of the medium", "caption of the carousel"])
def test_an_instagram_post_is_its_caption_with_its_first_photo(tmp_path: Path, media: list[str]) -> None:
    export = read(build.write(tmp_path, {INSTAGRAM: [build.instagram_post("été ☀", *media, at=5)]}, photos=media))

    [found] = export.posts
    assert (found.text, found.image, found.timestamp) == ("été ☀", "1.jpg", 5)
    assert export.skipped == ({"further_photos": 1} if media[1:] else {})


@pytest.mark.parametrize(
    ("post", "skipped"),
    [
        pytest.param(build.facebook_post("", "clip.MP4"), {"video": 1}, id="a video"),
        pytest.param(build.facebook_post("", link="https://example.org"), {"link": 1}, id="a link"),
        pytest.param(build.facebook_post(), {"empty_post": 1}, id="only an update's time"),
        pytest.param(build.facebook_post("", "here.jpg"), {"no_text": 1}, id="a photo without a word"),
        pytest.param("not a post", {"empty_post": 1}, id="something else"),
    ],
)
def test_what_cannot_be_learned_from_is_counted_by_its_reason(tmp_path: Path, post: build.Json, skipped: dict[str, int]) -> None:
    export = read(build.write(tmp_path, {FACEBOOK: [post]}, photos=["here.jpg"]))

    assert (export.posts, export.skipped) == ((), skipped)


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("gone.jpg", "missing_media"),
        ("x" * 300 + ".jpg", "missing_media"),
        ("nul\0.jpg", "missing_media"),
        ("shot.heic", "unsupported_format"),
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
    (export / "shot.jpg").rename(export / "shot.heic")
    (export / "link.jpg").symlink_to(tmp_path / "outside.jpg")

    found = read(export)

    assert [(post.text, post.image) for post in found.posts] == [("still here", None)]
    assert found.skipped == {reason: 1}


def test_numbered_files_are_read_in_their_number_and_before_the_albums_that_repeat_them(tmp_path: Path) -> None:
    folder = "your_facebook_activity/posts"
    album = {"name": "Trip", "photos": [{"uri": "1.jpg", "description": ""}, {"uri": "2.jpg", "description": "only here"}]}
    files = {
        f"{folder}/album/0.json": album,
        f"{folder}/your_posts_10.json": [build.facebook_post("tenth")],
        f"{folder}/your_posts_2.json": [build.facebook_post("second", "1.jpg")],
    }

    export = read(build.write(tmp_path, files, photos=["1.jpg", "2.jpg"]))

    assert [(post.text, post.image) for post in export.posts] == [("second", "1.jpg"), ("tenth", None), ("only here", "2.jpg")]
    assert export.skipped == {"repeated_media": 1}


def test_a_photo_that_is_listed_again_counts_once_unless_something_else_is_said_of_it() -> None:
    first = RawPost(text="new bike", media=("1.jpg",))
    other = RawPost(text="still have it", media=("1.jpg",))

    posts, skipped = usable([first, first, RawPost(media=("1.jpg",)), other], lambda _: None)

    assert [post.text for post in posts] == ["new bike", "still have it"]
    assert skipped == {"repeated_media": 2}


def test_every_link_of_a_post_is_counted() -> None:
    assert usable([RawPost(text="see both", links=2)], lambda _: None)[1] == {"link": 2}


def test_an_albums_caption_is_found_for_a_photo_that_was_posted_without_one() -> None:
    posts, skipped = usable([RawPost(media=("1.jpg",)), RawPost(text="named later", media=("1.jpg",))], lambda _: None)

    assert [post.text for post in posts] == ["named later"]
    assert skipped == {"no_text": 1}


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


def test_places_people_and_addresses_are_not_read(tmp_path: Path) -> None:
    post = build.facebook_post("a walk", "1.jpg")
    post["tags"] = [{"name": "SECRET"}]
    items = post["attachments"][0]["data"]
    items[0]["media"]["media_metadata"] = {"photo_metadata": {"exif_data": [{"upload_ip": "SECRET", "latitude": "SECRET"}]}}
    items.append({"place": {"name": "SECRET", "coordinate": {"latitude": "SECRET"}}})

    assert "SECRET" not in repr(read(build.write(tmp_path, {FACEBOOK: [post]}, photos=["1.jpg"])))


def test_an_export_is_found_one_folder_down_with_its_photos(tmp_path: Path) -> None:
    build.write(tmp_path / "facebook-ada-2024", {FACEBOOK: [build.facebook_post("hi", "1.jpg")]}, photos=["1.jpg"])

    [post] = read(tmp_path).posts

    assert post.image == "1.jpg"


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
        (["export.zip"], "export.zip", "is a zip; unpack it first"),
        (["notes.txt"], "notes.txt", "is a file; name the folder"),
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
