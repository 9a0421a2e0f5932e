"""One small file of each layout that Facebook's exports have had, and what was posted in it."""

import pytest
from hypothesis import given

from fedspoke.data.exports import facebook
from fedspoke.data.exports.post import Kind, Medium, RawPost
from fedspoke.data.exports.repair import repaired
from support import exports as build
from support.loose_json import anything

ROOTS = ["your_facebook_activity/", "your_activity_across_facebook/", "this_profile's_activity_across_facebook/", ""]

PHOTO = {
    "uri": "posts/media/TimelinePhotos_aw/22.jpg",
    "creation_timestamp": 1_305_050_046,
    "media_metadata": {"photo_metadata": {"exif_data": [{"upload_ip": "SECRET", "latitude": 28.4, "longitude": -80.6}]}},
    "title": "Timeline Photos",
    "description": "Zo\u00c3\u00ab am Strand",
    "comments": [{"author": "SECRET", "comment": "SECRET"}],
}
VIDEO = {"uri": "posts/media/videos/1.mp4", "creation_timestamp": 9, "thumbnail": {"uri": "https://cdn.example.org/1.jpg"}}
POST = {
    "timestamp": 1_305_050_000,
    "attachments": [
        {"data": [{"media": PHOTO}]},
        {"data": [{"place": {"name": "SECRET", "coordinate": {"latitude": 28.4}, "address": "SECRET"}}]},
    ],
    "data": [{"post": "Endlich Sommer \u00e2\u0098\u0080"}, {"update_timestamp": 1}, {"backdated_timestamp": 2}],
    "title": "SECRET was with SECRET at SECRET.",
    "tags": [{"name": "SECRET"}],
}
PHOTO_FOUND = Medium("posts/media/TimelinePhotos_aw/22.jpg", "Zoë am Strand")


def posted(
    text: str = "", *media: Medium, at: int | None = None, kind: Kind = "post", links: int = 0, shares: int = 0
) -> RawPost:
    return RawPost(kind=kind, text=text, timestamp=at, media=media, links=links, shares=shares)


POSTED = posted("Endlich Sommer ☀", PHOTO_FOUND, at=1_305_050_000)


@pytest.mark.parametrize("root", ROOTS)
@pytest.mark.parametrize(
    "name",
    [
        "posts/your_posts.json",
        "posts/your_posts_1.json",
        "posts/your_posts__check_ins__photos_and_videos_12.json",
        "posts/profile_posts_1.json",
    ],
)
def test_posts_are_found_in_every_layout_with_nothing_but_their_words_and_photos(root: str, name: str) -> None:
    assert build.parsed(facebook, root + name, [POST]) == [POSTED]


def test_who_posted_once_has_no_list_around_it() -> None:
    assert build.parsed(facebook, "your_facebook_activity/posts/your_posts_1.json", POST)[0] == POSTED


@pytest.mark.parametrize(
    ("name", "document", "expected"),
    [
        pytest.param(
            "posts/archive.json",
            {"archive_v2": [POST]},
            posted("Endlich Sommer ☀", PHOTO_FOUND, at=1_305_050_000, kind="archived"),
        ),
        pytest.param(
            "stories/archived_stories.json",
            {"archived_stories_v2": [{"timestamp": 5, "attachments": [{"data": [{"media": {"uri": "s.jpg", "title": ""}}]}]}]},
            posted("", Medium("s.jpg"), at=5, kind="story"),
            id="a story, whose title is Facebook's",
        ),
        pytest.param(
            "short_videos/your_reels.json",
            {"lasso_videos_v2": [{"timestamp": 6, "data": [{"post": "so fast"}], "attachments": [{"data": [{"media": VIDEO}]}]}]},
            posted("so fast", Medium("posts/media/videos/1.mp4"), at=6, kind="reel"),
            id="a reel",
        ),
        pytest.param(
            "other_activity/notes.json",
            {
                "notes_v2": [
                    {
                        "title": "On rain",
                        "text": "It rains.",
                        "created_timestamp": 7,
                        "media": [PHOTO],
                        "tags": [{"name": "SECRET"}],
                    }
                ]
            },
            posted("On rain\n\nIt rains.", PHOTO_FOUND, at=7, kind="note"),
            id="a note",
        ),
        pytest.param(
            "posts/album/3.json",
            {"name": "SECRET", "description": "SECRET", "photos": [PHOTO], "cover_photo": PHOTO, "last_modified_timestamp": 8},
            posted("", PHOTO_FOUND, at=1_305_050_046, kind="album"),
            id="an album's photo",
        ),
        pytest.param(
            "photos_and_videos/album/0.json",
            {"photos": [PHOTO]},
            posted("", PHOTO_FOUND, at=1_305_050_046, kind="album"),
            id="2018",
        ),
        pytest.param(
            "posts/your_uncategorized_photos.json",
            {"other_photos_v2": [PHOTO]},
            posted("", PHOTO_FOUND, at=1_305_050_046, kind="photo"),
            id="a photo of no album",
        ),
        pytest.param(
            "posts/your_videos.json",
            {"videos_v2": [{**VIDEO, "description": "so fast"}]},
            posted("", Medium("posts/media/videos/1.mp4", "so fast"), at=9, kind="video"),
            id="a video",
        ),
    ],
)
def test_each_kind_is_found_where_facebook_lists_it(name: str, document: build.Json, expected: RawPost) -> None:
    assert build.parsed(facebook, f"your_facebook_activity/{name}", document) == [expected]


LABELLED = {
    "timestamp": 1_730_000_000,
    "media": [],
    "label_values": [
        {"label": "Text", "value": "Endlich Sommer \u00e2\u0098\u0080"},
        {"label": "URL", "value": "SECRET", "href": "SECRET"},
        {"label": "Photos", "media": [PHOTO]},
        {"title": "Owner", "dict": [{"dict": [{"label": "Text", "value": "SECRET"}]}]},
    ],
    "fbid": "SECRET",
}


def test_a_post_of_fields_by_their_label_is_read_without_whom_it_names() -> None:
    found = build.parsed(facebook, "your_facebook_activity/posts/your_posts_1.json", [LABELLED])

    assert found == [posted("Endlich Sommer ☀", PHOTO_FOUND, at=1_730_000_000)]


def attached(*items: build.Json) -> build.Json:
    return {"attachments": [{"data": [item]} for item in items]}


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        pytest.param(
            {"data": [{"post": "one "}, {"update_timestamp": 1}, {"post": "two"}]}, posted("one\n\ntwo"), id="paragraphs"
        ),
        pytest.param(
            attached({"external_context": {"url": "https://example.org", "name": "SECRET"}}), posted(links=1), id="a link"
        ),
        pytest.param(attached({"external_context": {"name": "SECRET"}}), posted(shares=1), id="somebody's page"),
        pytest.param(attached({"event": {"name": "SECRET", "start_timestamp": 1}}), posted(shares=1), id="somebody's event"),
        pytest.param(
            attached({"note": {"title": "On rain", "text": "It rains.", "media": [PHOTO]}}),
            posted("On rain\n\nIt rains.", PHOTO_FOUND),
            id="a note",
        ),
        pytest.param(
            attached({"media": {"uri": "a.jpg"}}, {"media": {"uri": "b.jpg"}}), posted("", Medium("a.jpg"), Medium("b.jpg"))
        ),
        pytest.param(
            attached({"life_event": {"title": "SECRET", "description": "A new ship.", "place": {"name": "SECRET"}}}),
            posted("A new ship."),
            id="a life event",
        ),
        pytest.param({"title": "Ada shared a memory."}, posted(), id="a share without a word"),
        pytest.param({}, posted(), id="nothing"),
    ],
)
def test_a_post_is_what_its_person_added(entry: build.Json, expected: RawPost) -> None:
    assert facebook.parse(repaired(entry), "post") == expected


@pytest.mark.parametrize("value", [0, -1, True, 10**18, 1_600_000_000_000, 1.5, "1600000000", None])
def test_a_time_that_is_none_is_not_made_up(value: object) -> None:
    assert facebook.parse({"timestamp": value, "data": [{"post": "when?"}]}, "post") == posted("when?")


@pytest.mark.parametrize(
    "name",
    [
        "posts/other_people's_posts_to_your_timeline.json",
        "posts/posts_on_other_pages_and_profiles.json",
        "posts/edits_you_made_to_posts.json",
        "posts/trash.json",
        "groups/your_posts_in_groups.json",
        "comments_and_reactions/comments.json",
        "messages/inbox/ada_1/message_1.json",
    ],
)
def test_what_others_wrote_and_what_was_not_for_everyone_is_not_read(name: str) -> None:
    assert build.parsed(facebook, f"your_facebook_activity/{name}", [POST]) == []


@given(anything)
def test_any_json_is_an_entry_or_none(entry: build.Json) -> None:
    assert (facebook.parse(repaired(entry), "post") is not None) == isinstance(entry, dict)


@pytest.mark.parametrize(
    ("attachment", "count"),
    [
        ({"poll": {"question": "SECRET"}}, 1),
        ({"for_sale_item": {"title": "SECRET", "photo_image": {"uri": "1.jpg"}}}, 1),
        ({"text": "SECRET"}, 1),
        ({"place": {"name": "SECRET"}}, 0),
        ({"event": {"name": "SECRET"}}, 0),
        ({}, 0),
    ],
)
def test_an_attachment_of_no_known_kind_is_counted(attachment: build.Json, count: int) -> None:
    entry = {"data": [{"post": "see"}], "attachments": [{"data": [attachment]}]}

    [found] = build.parsed(facebook, "posts/your_posts_1.json", [entry])

    assert found
    assert (found.unknown_attachments, "SECRET" in str(found)) == (count, False)


@pytest.mark.parametrize("key", [None, "photos_v2", "other_photos_v2"])
def test_photos_of_no_album_are_found_with_their_words(key: str | None) -> None:
    name = "posts/your_uncategorized_photos.json" if key == "other_photos_v2" else "posts/your_photos_1.json"
    found = build.parsed(facebook, "your_facebook_activity/" + name, {key: [PHOTO]} if key else [PHOTO])

    assert found == [posted("", PHOTO_FOUND, at=1_305_050_046, kind="photo")]
