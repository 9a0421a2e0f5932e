import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedspoke.api.errors import Failed
from fedspoke.data.exports import facebook, instagram
from fedspoke.data.exports.merge import usable
from fedspoke.data.exports.post import Kind, Medium, Post, RawPost
from fedspoke.data.exports.repair import repaired
from support.loose_json import anything

Told = tuple[str, tuple[str, ...]]


def told(raw: Iterable[RawPost], lacking: Callable[[str], str | None] = lambda _: None) -> tuple[list[Post], Counter[str]]:
    skipped: Counter[str] = Counter()
    posts = list(usable(raw, lacking, skipped))
    return posts, skipped


def texts(raw: Iterable[RawPost]) -> list[Told]:
    return [(post.text, post.images) for post in told(raw)[0]]


def post(text: str, *media: str | tuple[str, str], at: int | None = None, kind: Kind = "post") -> RawPost:
    found = tuple(Medium(*medium) if isinstance(medium, tuple) else Medium(medium) for medium in media)
    return RawPost(kind=kind, text=text, timestamp=at, media=found)


def album(*media: str | tuple[str, str]) -> list[RawPost]:
    return [post("", medium, kind="album", at=7) for medium in media]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        pytest.param([post("hello")], [("hello", ())], id="a text alone"),
        pytest.param(
            [post("both", "1.jpg", "2.jpg")], [("both", ("1.jpg", "2.jpg"))], id="several photos, in the person's order"
        ),
        pytest.param([post("new bike", ("1.jpg", "new bike"))], [("new bike", ("1.jpg",))], id="a photo repeats the post's text"),
        pytest.param([post("", ("1.jpg", "a"), ("2.jpg", "a"))], [("a", ("1.jpg", "2.jpg"))], id="photos of one caption"),
        pytest.param(
            [post("Norway", ("1.jpg", "the fjord"), "2.jpg", ("3.jpg", "the cabin"))],
            [("the fjord", ("1.jpg",)), ("Norway", ("2.jpg",)), ("the cabin", ("3.jpg",))],
            id="a photo with words of its own is told by those",
        ),
        pytest.param(
            [post("Norway", ("1.jpg", "the fjord"), ("2.jpg", "the cabin"))],
            [("Norway\n\nthe fjord", ("1.jpg",)), ("the cabin", ("2.jpg",))],
            id="the post's text is kept where all photos have words of their own",
        ),
        pytest.param([post("A", ("1.jpg", "A day out"))], [("A day out", ("1.jpg",))], id="the longer of two that say the same"),
        pytest.param([post("see", ("1.mp4", "a clip"))], [("see\n\na clip", ())], id="a video leaves its words"),
        pytest.param([post("see", ("1.mp4", "a clip"), "2.jpg")], [("a clip", ()), ("see", ("2.jpg",))], id="photo beside video"),
    ],
)
def test_a_post_is_a_text_with_the_photos_that_it_is_about(raw: list[RawPost], expected: list[Told]) -> None:
    assert texts(raw) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        pytest.param([post("here", "1.jpg"), *album("1.jpg")], [("here", ("1.jpg",))], id="the post alone has words"),
        pytest.param([post("", "1.jpg"), *album(("1.jpg", "there"))], [("there", ("1.jpg",))], id="the album alone has words"),
        pytest.param([post("a", "1.jpg"), *album(("1.jpg", "a"))], [("a", ("1.jpg",))], id="both have the same"),
        pytest.param([post("a", "1.jpg"), *album(("1.jpg", "b"))], [("a\n\nb", ("1.jpg",))], id="each has its own"),
        pytest.param(album(("1.jpg", "a")) + album(("1.jpg", "b")), [("a\n\nb", ("1.jpg",))], id="two albums, no post"),
        pytest.param(
            [post("trip", "1.jpg", "2.jpg"), *album("1.jpg", ("2.jpg", "the cabin"), ("3.jpg", "only here"))],
            [("trip", ("1.jpg",)), ("the cabin", ("2.jpg",)), ("only here", ("3.jpg",))],
            id="each photo by what is known of it",
        ),
    ],
)
def test_a_photo_that_a_post_and_an_album_list_is_one_example_with_the_words_of_both(
    raw: list[RawPost], expected: list[Told]
) -> None:
    assert texts(raw) == expected
    assert texts(reversed(raw)) == expected


def test_a_photo_that_is_posted_again_with_something_else_to_say_stays_twice() -> None:
    raw = [post("new bike", "1.jpg", at=1), post("new bike", "1.jpg", at=2), post("", "1.jpg", at=3), post("sold", "1.jpg", at=4)]

    posts, skipped = told(raw)

    assert [(found.text, found.timestamp) for found in posts] == [("new bike", 1), ("sold", 4)]
    assert skipped == {"repeated_media": 2}


def test_a_caption_is_told_once_by_whoever_posts_the_photo_first() -> None:
    raw = [*album(("1.jpg", "the fjord")), post("again", "1.jpg", at=20), post("first", "1.jpg", at=10)]

    assert texts(raw) == [("first\n\nthe fjord", ("1.jpg",)), ("again", ("1.jpg",))]


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (post("", "1.mp4"), {"video": 1}),
        (post("", "1.MOV", "2.jpg"), {"video": 1, "no_text": 1}),
        (post("", "1.jpg"), {"no_text": 1}),
        (post("text", "1.bmp", "2"), {"unsupported_format": 2}),
        (post("text", "https://example.org/1.jpg"), {"remote_media": 1}),
        (post("text", "gone.jpg"), {"gone": 1}),
        (post("text", "1.jpg", "1.jpg"), {}),
        (RawPost(), {"empty_post": 1}),
        (RawPost(links=2), {"link": 2}),
        (RawPost(text="see", links=2), {"link": 2}),
        (RawPost(shares=1), {"share": 1}),
        (RawPost(unknown_attachments=2), {"unknown_attachment": 2}),
        (RawPost(media=(Medium("1.jpg"),), unknown_attachments=1), {"unknown_attachment": 1, "no_text": 1}),
        (RawPost(media=(Medium("1.jpg"),), unknown_label=True), {"unknown_label": 1}),
        (RawPost(unknown_label=True), {"unknown_label": 1}),
        (RawPost(text="sea", media=(Medium("1.jpg"),), unknown_label=True), {}),
    ],
)
def test_what_is_taken_away_is_counted_by_its_reason(entry: RawPost, expected: dict[str, int]) -> None:
    assert told([entry], lambda uri: "gone" if uri.startswith("gone") else None)[1] == expected


@pytest.mark.parametrize("suffix", ["jpg", "JPEG", "png", "webp", "avif", "heic", "HEIF", "gif"])
def test_every_format_of_a_phone_is_a_photo(suffix: str) -> None:
    assert texts([post("sea", f"1.{suffix}")]) == [("sea", (f"1.{suffix}",))]


def test_posts_come_in_the_order_of_their_time_and_say_what_they_were() -> None:
    raw = [post("c", kind="story", at=9), post("b", kind="reel", at=5), post("a", kind="archived", at=7), post("d")]

    assert [(found.kind, found.timestamp) for found in told(raw)[0]] == [
        ("post", None),
        ("reel", 5),
        ("archived", 7),
        ("story", 9),
    ]


@pytest.mark.parametrize("kind", ["story", "archived"])
def test_what_was_shown_for_a_while_takes_nothing_from_what_stays(kind: Kind) -> None:
    raw = [
        post("the fjord", "1.jpg", at=1, kind=kind),
        post("the fjord", "1.jpg", at=5),
        *album(("1.jpg", "at noon"), ("2.jpg", "b")),
    ]

    posts, skipped = told([*raw, post("", ("2.jpg", "tonight"), at=2, kind=kind)])

    assert [(found.kind, found.text, found.images) for found in posts] == [
        (kind, "the fjord", ("1.jpg",)),
        (kind, "tonight", ("2.jpg",)),
        ("post", "the fjord\n\nat noon", ("1.jpg",)),
        ("album", "b", ("2.jpg",)),
    ]
    assert skipped == {"repeated_media": 1}


def test_a_post_that_two_files_list_with_and_without_its_words_is_told_once_with_them() -> None:
    raw = [post("", "1.jpg", "2.jpg", at=5), post("both", "1.jpg", "2.jpg", at=5)]

    posts, skipped = told(raw)

    assert [(found.text, found.images) for found in posts] == [("both", ("1.jpg", "2.jpg"))]
    assert skipped == {"repeated_media": 2}


uris = st.sampled_from(["1.jpg", "2.jpg", "3.mp4", "gone.jpg"])
words = st.sampled_from(["", "sea", "the sea", "a hill", "Zoë 🏖"])
entries = st.builds(
    RawPost,
    kind=st.sampled_from(["post", "story", "album", "photo"]),
    text=words,
    timestamp=st.none() | st.integers(1, 3),
    media=st.lists(st.builds(Medium, uris, words), max_size=3).map(tuple),
    links=st.integers(0, 1),
    unknown_attachments=st.integers(0, 1),
    unknown_label=st.booleans(),
)


def lacking(uri: str) -> str | None:
    return "missing_media" if uri == "gone.jpg" else None


@given(st.lists(entries, max_size=8).flatmap(lambda raw: st.tuples(st.just(raw), st.permutations(raw))))
def test_the_same_entries_make_the_same_posts_in_whatever_order_they_come(pair: tuple[list[RawPost], list[RawPost]]) -> None:
    assert told(pair[0], lacking) == told(pair[1], lacking)


@given(st.lists(entries, max_size=8))
def test_no_word_is_lost_and_no_photo_is_told_twice_by_the_same_text(raw: list[RawPost]) -> None:
    posts, skipped = told(raw, lacking)

    everything = "\n".join(found.text for found in posts)
    pairs = [(uri, found.text, found.kind == "story") for found in posts for uri in found.images]
    assert all(entry.text in everything and all(medium.text in everything for medium in entry.media) for entry in raw)
    assert len(pairs) == len(set(pairs))
    assert {uri for uri, *_ in pairs} <= {"1.jpg", "2.jpg"}
    assert len(posts) + skipped.total() >= len(raw)


@pytest.mark.parametrize("parser", [facebook, instagram], ids=["facebook", "instagram"])
@given(document=st.lists(anything), kind=st.sampled_from(["post", "story", "album", "note"]))
def test_any_json_is_told_without_an_error_and_every_entry_is_kept_or_counted(
    parser: ModuleType, document: list[object], kind: Kind
) -> None:
    raw = [parser.parse(repaired(entry), kind) or RawPost() for entry in document]

    posts, skipped = told(raw)

    assert all(found.text for found in posts)
    assert len(posts) + skipped.total() >= len(raw)


def test_no_room_for_what_must_be_remembered_is_one_sentence() -> None:
    def entries_of_a_full_disk() -> Iterator[RawPost]:
        yield post("first")
        raise sqlite3.OperationalError("database or disk is full")

    with pytest.raises(Failed, match=r"database or disk is full\); make room in the folder for temporary files"):
        told(entries_of_a_full_disk())


def test_a_photo_that_is_listed_with_ever_other_words_is_told_in_bounded_time() -> None:
    hostile = [post("", ("1.jpg", f"caption {number}"), kind="album") for number in range(3000)]

    [found] = told([*hostile, post("mine", "1.jpg")])[0]

    assert found.text.startswith("mine\n\ncaption 0\n\n")
    assert len(found.text) < 500
