"""Records that are set aside, and topics that a crew names."""

import pytest

from fedspoke.api.errors import Failed, Refused
from fedspoke.api.names import PLATFORMS, Platform
from fedspoke.collaborator.decisions import Overrules
from fedspoke.collaborator.judged import Judged
from fedspoke.data.records import record

RECORDS = [record(f"post {number}", [], None, None) for number in range(5)]
IDS = [it.id for it in RECORDS]


@pytest.fixture
def judged() -> Judged:
    return Judged(lambda: {"facebook": RECORDS}, shown_only=False)


def test_pages_show_each_record_once_whatever_is_set_aside_meanwhile(judged: Judged) -> None:
    first = judged.page("facebook", 0, 2)
    judged.set_aside("facebook", IDS[:2], "health")
    rest = [it for offset in (2, 4) for it in judged.page("facebook", offset, 2).posts]
    assert [it.id for it in (*first.posts, *rest)] == IDS
    assert (first.total, first.posts[0].text) == (5, "post 0")


def test_what_is_set_aside_is_not_used_and_is_counted(judged: Judged) -> None:
    assert judged.set_aside("facebook", IDS[:2], "health").left == 3
    assert judged.set_aside("facebook", IDS[1:3], "money").left == 2
    assert [it.id for it in judged.used()["facebook"]] == IDS[3:]
    assert judged.set_aside_for("facebook") == {"health": 1, "money": 2}


def test_cleaning_brings_all_back(judged: Judged) -> None:
    judged.set_aside("facebook", IDS, "health")
    assert judged.used() == {}
    judged.clear()
    assert judged.used() == {"facebook": tuple(RECORDS)}


def test_what_the_owner_sets_aside_stays_so_whoever_judges_and_whatever_is_cleaned_anew() -> None:
    judged = Judged(lambda: {"facebook": RECORDS}, shown_only=False, overrules=Overrules(set_aside=frozenset(IDS[:2])))
    judged.set_aside("facebook", IDS[1:3], "health")
    assert [it.id for it in judged.used()["facebook"]] == IDS[3:]
    assert judged.set_aside_for("facebook") == {"health": 1, "owner": 2}
    judged.clear()
    assert [it.id for it in judged.used()["facebook"]] == IDS[2:]
    assert [it.id for it in judged.page("facebook", 0, 5).posts] == IDS


def test_a_topic_is_one_of_the_list(judged: Judged) -> None:
    assert judged.name_topic("facebook", IDS[:1], "food").named == 1
    assert judged.topics("facebook") == {IDS[0]: "food"}
    with pytest.raises(Refused, match="name_topic knows no topic of that name; it knows animals, "):
        judged.name_topic("facebook", IDS[:1], "my neighbour")


@pytest.mark.parametrize("of", PLATFORMS)
def test_ids_that_no_post_has_are_refused_and_change_nothing(judged: Judged, of: Platform) -> None:
    ids = [*IDS[:1], "0" * 16] if of == "facebook" else ["0" * 16]
    with pytest.raises(Refused, match=f"set_aside was given 1 ids that no {of} post has"):
        judged.set_aside(of, ids, "health")
    assert len(judged.used()["facebook"]) == 5


def test_before_there_are_records_it_is_said_what_is_missing() -> None:
    with pytest.raises(Failed, match="list_posts has no records; call clean_data first"):
        Judged(dict, shown_only=False).page("facebook", 0, 1)
    with pytest.raises(Failed, match="set_aside has no records; call clean_data first"):
        Judged(dict, shown_only=False).set_aside("facebook", [], "health")


def test_where_posts_are_judged_one_that_no_crew_was_shown_is_not_used() -> None:
    records = RECORDS[:3]
    judged = Judged(lambda: {"facebook": records}, shown_only=True)
    assert judged.used() == {}
    judged.page("facebook", 0, 5)
    judged.set_aside("facebook", IDS[:1], "health")
    records = RECORDS[:2] + RECORDS[3:]  # made again of an export that has changed
    assert [it.id for it in judged.used()["facebook"]] == IDS[1:2]
    judged.clear()
    assert judged.used() == {}
