"""What a crew is asked, and what is made of its answers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedspoke.collaborator import curation
from fedspoke.collaborator.curation import (
    KEEP,
    Curated,
    Fate,
    answer_of,
    curated,
    digest,
    grouped,
    pieces,
    questions,
    read,
    reason_of,
)
from support.language_model import LanguageModel

WORDS = (KEEP, "health", "contact")


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ('{"answer": "keep"}', "keep"),
        ('{"answer":"HEALTH"}\n', "health"),
        ('```json\n{"answer": "contact"}\n```', "contact"),
        ("keep", "keep"),
        (' "Health". ', "health"),
        ("", None),
        ("I would keep this one.", None),
        ("keep, health", None),
        ('{"answer": "publish"}', None),
        ('{"answer": ["keep"]}', None),
        ('{"answer": "health", "and": "keep"}', None),
        ('{"answer": "keep"', None),
        ("null", None),
    ],
)
def test_an_answer_is_one_of_the_words_or_none(said: str, word: str | None) -> None:
    assert read(said, WORDS) == word


@given(st.text())
def test_whatever_is_said_an_answer_is_one_of_the_words_or_none(said: str) -> None:
    assert read(said, WORDS) in (*WORDS, None)


@given(st.text(alphabet="a ", max_size=9000))
def test_a_long_post_is_shown_whole_in_pieces_that_a_request_holds(text: str) -> None:
    shown = list(pieces(text))
    assert "".join(shown) == text
    assert all(len(piece) <= 2000 for piece in shown)


def test_a_piece_ends_between_words() -> None:
    first, _ = pieces("word " * 500)
    assert first.endswith("word")


@pytest.mark.parametrize(("topics", "asked"), [(True, 3), (False, 2)])
def test_each_piece_is_judged_and_the_first_one_says_what_a_post_is_about(topics: bool, asked: int) -> None:
    found = questions("x" * 3000, topics=topics)
    assert len(found) == asked
    assert [KEEP in it.words for it in found] == [True, True, False][:asked]


def test_every_word_that_may_be_answered_stands_in_the_question_and_in_its_schema() -> None:
    for asked in questions("a post", topics=True):
        assert all(word in asked.task for word in asked.words)
        assert answer_of(asked).model_json_schema()["properties"]["answer"]["enum"] == list(asked.words)


def test_another_question_has_another_digest() -> None:
    assert digest(topics=True) != digest(topics=False)


@pytest.mark.parametrize(
    ("word", "reason"), [(KEEP, None), ("health", "health"), (None, "unreadable"), ("anything", "unreadable")]
)
def test_only_a_word_that_keeps_a_post_keeps_it(word: str | None, reason: str | None) -> None:
    assert reason_of(word) == reason


FATES = {
    "1": Fate(topic="food"),
    "2": Fate(reason="health"),
    "3": Fate(reason="owner", overruled=True),
    "4": Fate(reason="health"),
}


def test_posts_are_counted_by_what_became_of_them() -> None:
    assert curated(FATES, 7) == Curated(kept=1, set_aside={"health": 2, "owner": 1}, overruled=1, requests=7)
    assert grouped(FATES, lambda fate: fate.reason) == [("health", ["2", "4"]), ("owner", ["3"])]


def test_the_hub_hears_that_a_bound_was_reached_and_by_no_number_of_posts() -> None:
    asked = LanguageModel(1).curation(maxRequests=123)
    said = curation.remark(asked, [Curated(kept=9), Curated(kept=1, set_aside={"unjudged": 77})])
    assert said == "client.curation.maxRequests, 123, was too few; posts that nobody judged are not trained on"
    assert curation.remark(asked, [Curated(kept=9, set_aside={"health": 5})]) == ""
