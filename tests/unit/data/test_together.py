from dataclasses import replace

import pytest

from fedspoke.data.exports.post import Medium, RawPost
from fedspoke.data.exports.together import together

FIRST = RawPost(text="at the lake", timestamp=7, media=(Medium("1.jpg"),))
SECOND = replace(FIRST, media=(Medium("2.jpg"),))


def test_neighbours_of_one_time_and_caption_are_one_post_in_their_order() -> None:
    other = replace(SECOND, text="on the way home")

    assert list(together([SECOND, FIRST, other])) == [replace(FIRST, media=(Medium("2.jpg"), Medium("1.jpg"))), other]


@pytest.mark.parametrize(
    "second",
    [replace(SECOND, timestamp=8), replace(SECOND, text=""), replace(SECOND, kind="profile")],
    ids=["another time", "another caption", "another kind"],
)
def test_what_was_not_posted_together_stays_alone(second: RawPost) -> None:
    assert list(together([FIRST, second, FIRST])) == [FIRST, second, FIRST]


@pytest.mark.parametrize("change", [{"timestamp": None}, {"kind": "story"}], ids=["of no time", "stories"])
def test_entries_that_were_never_one_post_stay_alone(change: dict[str, object]) -> None:
    alone = [replace(entry, **change) for entry in (FIRST, SECOND)]  # type: ignore[arg-type]

    assert list(together(alone)) == alone


def test_no_post_is_larger_than_any_could_be() -> None:
    assert [len(entry.media) for entry in together([FIRST] * 25)] == [10, 10, 5]
