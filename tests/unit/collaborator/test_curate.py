"""A platform's records and what becomes of each, with a crew that answers from a list."""

import json
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fedspoke.api.errors import Failed
from fedspoke.collaborator.answers import Post, PostsListed
from fedspoke.collaborator.curate import Curate
from fedspoke.collaborator.curation import KEEP, Fate, Question
from fedspoke.collaborator.decisions import FILE, Overrules
from support.collaborator import settings
from support.language_model import LanguageModel

POSTS = {"a" * 16: "a walk", "b" * 16: "my sister is in hospital", "c" * 16: "bread"}
A, B, C = POSTS


@dataclass
class Crew:
    """Answers by a part of the question; keeps a list of what it was asked."""

    says: dict[str, str | None] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    fails_at: int = 0
    silent_on: str = ""
    """A part of the questions that it never answers."""

    def __call__(self, question: Question) -> str | None:
        if self.fails_at and len(self.asked) + 1 >= self.fails_at:
            raise Failed("the endpoint does not answer")
        self.asked.append(question.task)
        if self.silent_on and self.silent_on in question.task:
            raise Failed("the endpoint has said nothing")
        said = next((word for part, word in self.says.items() if part in question.task), KEEP)
        return said if KEEP in question.words or said is None else "food"


def pages(offset: int) -> PostsListed:
    posts = [Post(id=id_, text=text) for id_, text in POSTS.items()]
    return PostsListed(posts=tuple(posts[offset : offset + 2]), total=len(posts))


def ready(folder: Path, crew: Crew, *, topics: bool = False, **changes: object) -> Curate:
    told = settings(folder, {"facebook": folder})
    Path(told.output).mkdir(exist_ok=True)
    told = told.model_copy(
        update={"profiles": told.profiles.model_copy(update={"topics": topics}), "overrules": str(folder / "o")}
    )
    return Curate.of(told, LanguageModel(1).curation(**changes), crew, lambda: datetime(2026, 1, 1, tzinfo=UTC))


def judged(work: Curate) -> dict[str, Fate]:
    return work.records("facebook", pages, lambda _: None)


def test_what_the_crew_finds_private_is_set_aside(tmp_path: Path) -> None:
    assert judged(ready(tmp_path, Crew({"hospital": "health"}))) == {A: Fate(), B: Fate(reason="health"), C: Fate()}


def test_an_answer_that_cannot_be_read_keeps_no_post(tmp_path: Path) -> None:
    assert judged(ready(tmp_path, Crew({"bread": None})))[C] == Fate(reason="unreadable")


def test_what_a_post_that_is_kept_is_about_is_asked_too(tmp_path: Path) -> None:
    crew = Crew({"hospital": "health"})
    assert judged(ready(tmp_path, crew, topics=True)) == {A: Fate(topic="food"), B: Fate(reason="health"), C: Fate(topic="food")}
    assert len(crew.asked) == 5


def test_nothing_is_asked_twice(tmp_path: Path) -> None:
    first = judged(ready(tmp_path, Crew({"hospital": "health"})))
    again = Crew()
    assert judged(ready(tmp_path, again)) == first
    assert again.asked == []


def test_what_an_endpoint_that_went_away_had_answered_stands(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="does not answer"):
        judged(ready(tmp_path, Crew({"hospital": "health"}, fails_at=3)))
    crew = Crew()
    assert judged(ready(tmp_path, crew))[B] == Fate(reason="health")
    assert len(crew.asked) == 1


def test_another_model_is_asked_anew(tmp_path: Path) -> None:
    judged(ready(tmp_path, Crew()))
    crew = Crew()
    judged(ready(tmp_path, crew, model="another"))
    assert len(crew.asked) == 3


def test_a_decision_says_who_decided_what_and_when_and_nothing_of_the_post(tmp_path: Path) -> None:
    work = ready(tmp_path, Crew({"hospital": "health"}), topics=True)
    judged(work)
    lines = (tmp_path / "output" / FILE).read_text().splitlines()
    assert [sorted(json.loads(line)) for line in lines] == [
        ["at", "decision", "id", "model", "platform", "prompt", "requests", "topic"],
        ["at", "decision", "id", "model", "platform", "prompt", "reason", "requests"],
        ["at", "decision", "id", "model", "platform", "prompt", "requests", "topic"],
    ]
    assert not [word for text in POSTS.values() for word in text.split() if len(word) > 4 and word in "".join(lines)]


def test_posts_that_no_request_is_left_for_are_set_aside_and_judged_once_there_are_more(tmp_path: Path) -> None:
    crew = Crew()
    assert judged(ready(tmp_path, crew, maxRequests=2)) == {A: Fate(), B: Fate(), C: Fate(reason="unjudged")}
    assert judged(ready(tmp_path, crew, maxRequests=2))[C] == Fate(reason="unjudged")
    assert len(crew.asked) == 2
    assert judged(ready(tmp_path, crew, maxRequests=3))[C] == Fate()


@pytest.mark.parametrize("silent_on", ["Does this post say something private", "What is this post about?"])
def test_a_step_that_is_repeated_as_its_requests_fail_sends_no_more_of_them_than_it_may(silent_on: str, tmp_path: Path) -> None:
    crew = Crew(silent_on=silent_on)
    for _ in range(5):
        with suppress(Failed):
            fates = judged(ready(tmp_path, crew, topics=True, maxRequests=5))
    assert 4 <= len(crew.asked) <= 5
    assert fates == dict.fromkeys(POSTS, Fate(reason="unjudged"))


def test_no_post_is_begun_that_the_requests_would_not_suffice_for(tmp_path: Path) -> None:
    crew = Crew()
    assert judged(ready(tmp_path, crew, topics=True, maxRequests=3))[B] == Fate(reason="unjudged")
    assert len(crew.asked) == 2


def test_an_owners_word_goes_before_the_crews_which_is_not_asked(tmp_path: Path) -> None:
    folder = tmp_path / "o"
    folder.mkdir()
    (folder / "keep").write_text(f"{B}\n")
    (folder / "set-aside").write_text(f"{C} {'f' * 16}\n")
    crew = Crew({"hospital": "health"})
    fates = judged(ready(tmp_path, crew))
    assert fates == {A: Fate(), B: Fate(overruled=True), C: Fate(reason="owner", overruled=True)}
    assert len(crew.asked) == 1


def test_a_decision_can_be_overruled_afterwards(tmp_path: Path) -> None:
    judged(ready(tmp_path, Crew({"hospital": "health"})))
    (tmp_path / "o").mkdir()
    (tmp_path / "o" / "keep").write_text(B)
    assert judged(ready(tmp_path, Crew()))[B] == Fate(overruled=True)


def test_of_a_post_that_an_owner_names_in_both_ways_none_is_kept() -> None:
    both = frozenset([A])
    assert A in Overrules(keep=both, set_aside=both)


def test_a_line_that_a_power_cut_tore_is_asked_anew_and_costs_no_other(tmp_path: Path) -> None:
    judged(ready(tmp_path, Crew({"hospital": "health"})))
    file = tmp_path / "output" / FILE
    file.write_bytes(file.read_bytes()[:-30])
    crew = Crew()
    fates = judged(ready(tmp_path, crew))
    assert (len(crew.asked), fates[B]) == (1, Fate(reason="health"))
    again = Crew()
    judged(ready(tmp_path, again))
    assert again.asked == []


def test_how_far_it_is_is_told(tmp_path: Path) -> None:
    heard: list[str] = []
    ready(tmp_path, Crew({"hospital": "health"})).records("facebook", pages, heard.append)
    assert heard[-1] == "3 of 3 facebook posts judged, 1 set aside, 3 requests"
