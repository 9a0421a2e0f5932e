"""One small file of each layout that Instagram's exports have had, and what was posted in it."""

import pytest
from hypothesis import given

from fedspoke.data.exports import instagram
from fedspoke.data.exports.post import Kind, Medium, RawPost
from fedspoke.data.exports.repair import repaired
from support import exports as build
from support.loose_json import anything

ROOTS = ["your_instagram_activity/media/", "your_instagram_activity/content/", "content/"]


def medium(uri: str, title: str = "", at: int = 1_706_000_000) -> build.Json:
    return {
        "uri": uri,
        "creation_timestamp": at,
        "media_metadata": {"photo_metadata": {"exif_data": [{"latitude": 45.7, "device_id": "SECRET"}]}},
        "title": title,
        "cross_post_source": {"source_app": "SECRET"},
        "backup_uri": "SECRET",
    }


def posted(text: str = "", *media: Medium, at: int | None = 1_706_000_000, kind: Kind = "post") -> RawPost:
    return RawPost(kind=kind, text=text, timestamp=at, media=media)


@pytest.mark.parametrize("root", ROOTS)
@pytest.mark.parametrize("name", ["posts_1.json", "posts_10.json", "posts.json"])
def test_posts_are_found_in_every_layout_with_nothing_but_their_words_and_media(root: str, name: str) -> None:
    alone = {"media": [medium("media/posts/202401/1.webp", "caf\u00c3\u00a9")]}
    carousel = {"media": [medium("2.jpg"), medium("3.mp4")], "title": "\u00c3\u00a9t\u00c3\u00a9", "creation_timestamp": 20}

    assert build.parsed(instagram, root + name, [alone, carousel]) == [
        posted("", Medium("media/posts/202401/1.webp", "café")),
        posted("été", Medium("2.jpg"), Medium("3.mp4"), at=20),
    ]


def test_who_posted_once_has_no_list_around_it() -> None:
    document = {"media": [medium("1.jpg", "only this")]}

    assert build.parsed(instagram, "content/posts_1.json", document) == [posted("", Medium("1.jpg", "only this"))]


@pytest.mark.parametrize(
    ("name", "key", "kind"),
    [
        ("reels.json", "ig_reels_media", "reel"),
        ("igtv_videos.json", "ig_igtv_media", "igtv"),
        ("archived_posts.json", "ig_archived_post_media", "archived"),
        ("other_content.json", "ig_other_media", "other"),
    ],
)
def test_each_kind_is_found_where_instagram_lists_it(name: str, key: str, kind: Kind) -> None:
    entry = {"media": [medium("1.jpg", "mine")]}

    for document in ({key: [entry]}, [entry]):
        assert build.parsed(instagram, f"your_instagram_activity/media/{name}", document) == [
            posted("", Medium("1.jpg", "mine"), kind=kind)
        ]


@pytest.mark.parametrize(
    ("name", "key", "kind"), [("stories.json", "ig_stories", "story"), ("profile_photos.json", "ig_profile_picture", "profile")]
)
def test_stories_and_profile_photos_are_media_without_a_post_around_them(name: str, key: str, kind: Kind) -> None:
    found = build.parsed(instagram, f"content/{name}", {key: [medium("1.jpg", "tonight")]})

    assert found == [posted("tonight", Medium("1.jpg", "tonight"), kind=kind)]


def test_until_2020_all_kinds_were_in_one_file_each_medium_on_its_own() -> None:
    entry = {"caption": "I am here!", "taken_at": "2018-11-05T20:19:29", "location": "SECRET", "path": "photos/201811/2b.jpg"}
    document = {
        "photos": [entry],
        "videos": [{**entry, "path": "videos/201811/3c.mp4", "taken_at": "2018-11-05T21:19:29+01:00"}],
        "stories": [{"caption": "", "taken_at": "yesterday", "path": "stories/201811/4d.jpg"}],
        "profile": [{"taken_at": "2013-01-01T00:00:00", "is_active_profile": True, "path": "profile/201301/5e.jpg"}],
        "direct": [{"taken_at": "2018-11-05T20:19:29", "path": "direct/201811/6f.jpg"}],
    }

    assert build.parsed(instagram, "media.json", document) == [
        posted("I am here!", Medium("photos/201811/2b.jpg"), at=1_541_449_169),
        posted("I am here!", Medium("videos/201811/3c.mp4"), at=1_541_449_169),
        posted("", Medium("stories/201811/4d.jpg"), at=None, kind="story"),
        posted("", Medium("profile/201301/5e.jpg"), at=1_356_998_400, kind="profile"),
    ]


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        pytest.param(
            {
                "timestamp": 1_706_000_000,
                "label_values": [
                    {"label": "Post type", "value": "Image"},
                    {"label": "Caption", "value": "\u00c3\u00a9t\u00c3\u00a9"},
                    {"label": "Media", "media": [medium("1.jpg", "\u00c3\u00a9t\u00c3\u00a9")]},
                    {"title": "Owner", "dict": [{"dict": [{"label": "Caption", "value": "SECRET"}]}]},
                ],
            },
            posted("été", Medium("1.jpg", "été")),
            id="a list of labels",
        ),
        pytest.param(
            {"timestamp": 1_706_000_000, "label_values": [{"label": "Medien", "media": [medium("1.jpg", "mein")]}]},
            posted("", Medium("1.jpg", "mein")),
            id="labels in the account's language",
        ),
        pytest.param(
            {
                "title": "SECRET",
                "media_list_data": [{"uri": "1.jpg"}],
                "string_map_data": {
                    "Caption": {"href": "SECRET", "value": "mine", "timestamp": 0},
                    "Time": {"value": "", "timestamp": 1_706_000_000},
                    "Latitude": {"value": "SECRET"},
                },
            },
            posted("mine", Medium("1.jpg")),
            id="an object of labels",
        ),
    ],
)
def test_a_post_of_fields_by_their_label_is_read_without_whom_it_names(entry: build.Json, expected: RawPost) -> None:
    assert build.parsed(instagram, "your_instagram_activity/media/posts.json", [entry]) == [expected]


@pytest.mark.parametrize(
    ("fields", "unknown"),
    [
        ([{"label": "Leírás", "value": "Szép reggel"}], True),
        ([{"label": "Leírás", "value": "Szép reggel"}, {"label": "Caption", "value": ""}], False),
        ([{"label": "Caption", "value": "mine"}, {"label": "Location", "value": "SECRET"}], False),
        ([{"label": "URL", "value": "https://example.org/p/1", "href": "https://example.org/p/1"}], False),
        ([{"label": "Leírás", "value": ""}], False),
    ],
)
def test_an_entry_that_may_have_its_caption_under_a_label_of_another_language_says_so(
    fields: list[build.Json], unknown: bool
) -> None:
    [found] = build.parsed(instagram, "content/posts.json", [{"media": [medium("1.jpg")], "label_values": fields}])

    assert found
    assert found.unknown_label == unknown


@pytest.mark.parametrize(
    "name",
    [
        "your_instagram_activity/media/recently_deleted_content.json",
        "your_instagram_activity/media/reposts.json",
        "your_instagram_activity/comments/post_comments_1.json",
        "your_instagram_activity/threads/threads_and_replies.json",
        "your_instagram_activity/messages/inbox/ada_1/message_1.json",
    ],
)
def test_what_others_wrote_and_what_was_not_for_everyone_is_not_read(name: str) -> None:
    assert build.parsed(instagram, name, [{"media": [medium("1.jpg", "SECRET")]}]) == []


@given(anything)
def test_any_json_is_an_entry_or_none(entry: build.Json) -> None:
    assert (instagram.parse(repaired(entry), "post") is not None) == isinstance(entry, dict)
