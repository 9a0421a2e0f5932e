"""One order to several clusters: tries, pauses, nodes that come and go, and what is of no more use."""

from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedspoke.api.records import Failure, Trained
from fedspoke.hub.aggregation.asking import SILENT, Asking, Limit, Lost
from fedspoke.hub.aggregation.members import Answer
from support.federation import START

LIMIT = Limit(START + timedelta(minutes=1), "the end of spec.server.roundTimeout")


def after(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


def trained(cluster: str = "cluster1") -> Trained:
    return Trained(cluster=cluster, round=1, digest="a" * 64, examples=1, loss=1, seconds=1)


def failed(*, passing: bool) -> Failure:
    return Failure(cluster="cluster1", step="train", message="out of memory", passing=passing)


class Moments:
    """An `Asking` whose clusters keep their nodes, unless a moment says otherwise."""

    def __init__(self, *clusters: str, silent_before: Collection[str] = ()) -> None:
        self.nodes = {cluster: number for number, cluster in enumerate(clusters, 1)}
        self.asking = Asking(dict(self.nodes), START, LIMIT, frozenset(silent_before))

    def at(
        self,
        seconds: float,
        *came: tuple[int, Answer | str],
        ready: Mapping[str, int] | None = None,
        online: Iterable[int] | None = None,
    ) -> dict[str, int]:
        there = self.nodes if ready is None else ready
        return self.asking.step(START + after(seconds), there, there.values() if online is None else online, came)


def test_all_are_asked_once_and_are_done_when_they_have_answered() -> None:
    moments = Moments("cluster1", "cluster2")
    assert moments.at(0) == {"cluster1": 1, "cluster2": 2}
    assert moments.at(1, (1, trained())) == {}
    assert moments.asking.awaited == ["cluster2"]
    assert moments.at(2, (2, trained("cluster2"))) == {}
    assert moments.asking.awaited == []
    assert list(moments.asking.answers) == ["cluster1", "cluster2"]


def test_a_failure_that_would_come_again_is_final_at_once() -> None:
    moments = Moments("cluster1")
    moments.at(0)
    assert moments.at(1, (1, failed(passing=False))) == {}
    assert moments.asking.lost == {"cluster1": Lost("train failed: out of memory", passing=False)}


@pytest.mark.parametrize(
    "answer", [failed(passing=True), "Flower says: the ClientApp was killed"], ids=["the cluster's own word", "Flower's"]
)
def test_a_failure_that_may_pass_is_asked_again_after_growing_pauses_three_times_in_all(answer: Answer | str) -> None:
    moments = Moments("cluster1")
    assert moments.at(0)
    assert not moments.at(1, (1, answer))
    assert moments.asking.note("cluster1").endswith("; asked again at 12:00:06 UTC, try 2 of 3")
    assert not moments.at(5.9)
    assert moments.at(6) == {"cluster1": 1}
    assert not moments.at(7, (1, answer))
    assert not moments.at(36.9)
    assert moments.at(37) == {"cluster1": 1}
    moments.at(38, (1, answer))
    assert moments.asking.awaited == []
    assert moments.asking.lost["cluster1"].passing


def test_a_pause_that_would_outlast_the_time_is_not_made() -> None:
    moments = Moments("cluster1")
    moments.at(0)
    moments.at(56, (1, failed(passing=True)))
    assert moments.asking.lost == {"cluster1": Lost("train failed: out of memory", passing=True)}


def test_whoever_has_not_answered_in_time_is_lost_with_what_set_that_time_and_what_went_wrong_before() -> None:
    moments = Moments("cluster1", "cluster2")
    moments.at(0)
    moments.at(1, (1, failed(passing=True)))
    moments.at(10)
    assert moments.at(60) == {}
    late = "no answer by 12:01:00 UTC, the end of spec.server.roundTimeout"
    assert moments.asking.lost == {
        "cluster1": Lost(f"{late}; before that, train failed: out of memory", passing=True),
        "cluster2": Lost(late, passing=True),
    }


@pytest.mark.parametrize(
    ("timeout", "until", "why"),
    [
        pytest.param(59, 59, "the end of spec.server.roundTimeout", id="the round ends first"),
        pytest.param(61, 60, "which is spec.deadline", id="the federation ends first"),
    ],
)
def test_it_is_said_which_limit_ends_a_wait(timeout: float, until: float, why: str) -> None:
    assert Limit.of(START, after(timeout), START + after(60)) == Limit(START + after(until), why)


def test_a_new_node_of_a_cluster_takes_the_order_over_at_once_and_the_old_ones_answer_is_dropped() -> None:
    moments = Moments("cluster1")
    moments.at(0)
    assert moments.at(1, ready={"cluster1": 7}, online=[1, 7]) == {"cluster1": 7}
    assert moments.at(2, (1, trained()), ready={"cluster1": 7}, online=[1, 7]) == {}
    assert (moments.asking.awaited, moments.asking.repeated) == (["cluster1"], 1)
    moments.at(3, (7, trained()), ready={"cluster1": 7})
    assert moments.asking.answers == {"cluster1": trained()}


def test_a_new_node_does_not_shorten_the_pause_after_a_failure() -> None:
    moments = Moments("cluster1")
    moments.at(0)
    moments.at(1, (1, failed(passing=True)))
    assert moments.at(2, ready={"cluster1": 7}) == {}
    assert moments.at(6, ready={"cluster1": 7}) == {"cluster1": 7}


def test_a_cluster_that_has_gone_is_not_awaited_and_is_back_with_another_node() -> None:
    moments = Moments("cluster1", "cluster2")
    moments.at(0)
    moments.at(1, ready={"cluster2": 2})
    assert moments.asking.awaited == ["cluster2"]
    assert moments.asking.lost == {"cluster1": Lost("its Flower node is not connected any more", passing=True)}
    assert moments.at(2, ready={"cluster1": 7, "cluster2": 2}) == {"cluster1": 7}
    assert (moments.asking.awaited, moments.asking.lost) == (["cluster1", "cluster2"], {})


def test_a_node_that_flower_missed_for_a_moment_still_holds_its_order() -> None:
    moments = Moments("cluster1")
    moments.at(0)
    moments.at(1, ready={}, online=[])
    assert moments.at(2) == {}
    assert moments.asking.awaited == ["cluster1"]


def test_an_answer_of_a_node_that_was_taken_for_gone_counts() -> None:
    moments = Moments("cluster1")
    moments.at(0)
    moments.at(1, ready={}, online=[])
    moments.at(2, (1, trained()), ready={}, online=[])
    assert moments.asking.answers == {"cluster1": trained()}
    assert moments.asking.lost == {}


def test_a_second_answer_is_counted_and_changes_nothing() -> None:
    moments = Moments("cluster1", "cluster2")
    moments.at(0)
    moments.at(1, (1, trained()))
    moments.at(2, (1, failed(passing=False)), (1, "Flower says nothing of use"), (9, trained()))
    assert moments.asking.answers == {"cluster1": trained()}
    assert moments.asking.repeated == 2


def test_an_answer_that_was_looked_at_and_refused_is_not_asked_for_again() -> None:
    moments = Moments("cluster1")
    moments.at(0)
    moments.at(1, (1, trained()))
    moments.asking.refuse("cluster1", "none came under its certificate")
    assert moments.at(2) == {}
    assert moments.asking.lost == {"cluster1": Lost("none came under its certificate", passing=False)}


def test_whoever_lets_all_of_its_time_pass_is_silent_and_whoever_was_heard_or_replaced_meanwhile_is_not() -> None:
    moments = Moments("cluster1", "cluster2", "cluster3", "cluster4")
    moments.at(0)
    ready = moments.nodes | {"cluster3": 9}
    moments.at(1, (1, trained()), (2, "Flower says: the ClientApp was killed"), ready=ready)
    moments.at(30, ready=ready)
    assert moments.asking.silent == set()
    moments.at(60, ready=ready)
    assert moments.asking.silent == {"cluster4"}
    assert {"cluster2", "cluster3", "cluster4"} == moments.asking.lost.keys()


def test_whoever_was_silent_before_is_not_waited_for_alone() -> None:
    moments = Moments("cluster1", "cluster2", "cluster3", silent_before={"cluster2", "cluster3"})
    assert moments.at(0) == {"cluster1": 1, "cluster2": 2, "cluster3": 3}
    moments.asking.spare()
    assert moments.asking.awaited == ["cluster1", "cluster2", "cluster3"], "with cluster1 they have all the time that it takes"
    moments.at(20, (1, trained()), (3, trained("cluster3")))
    moments.asking.spare()
    assert moments.asking.awaited == []
    assert moments.asking.lost == {"cluster2": Lost(f"no answer yet: {SILENT}", passing=True)}
    assert moments.asking.silent == set(), "this time it was not given all of its time"


def test_a_cluster_that_was_silent_before_is_said_to_be_until_it_is_heard() -> None:
    moments = Moments("cluster1", "cluster2", silent_before={"cluster1"})
    moments.at(0)
    assert (moments.asking.note("cluster1"), moments.asking.note("cluster2")) == (SILENT, "")
    moments.at(1, (1, failed(passing=True)))
    assert moments.asking.note("cluster1").startswith("train failed: out of memory; asked again at")
    moments.at(2, (2, trained("cluster2")))
    moments.asking.spare()
    assert moments.asking.awaited == ["cluster1"], "it was heard, so it is waited for"


_EVENTS = st.tuples(
    st.floats(0, 20),
    st.lists(st.tuples(st.integers(1, 3), st.sampled_from([trained(), failed(passing=True), failed(passing=False), "lost"]))),
    st.dictionaries(st.sampled_from(["cluster1", "cluster2"]), st.integers(1, 3)),
)


@given(st.lists(_EVENTS, max_size=20))
def test_whatever_happens_it_ends_in_time_with_each_cluster_in_one_place(
    events: list[tuple[float, list[tuple[int, Answer | str]], dict[str, int]]],
) -> None:
    moments, now = Moments("cluster1", "cluster2"), 0.0
    for pause, came, ready in events:
        now += pause
        before = dict(moments.asking.answers)
        moments.at(now, *came, ready=ready)
        assert moments.asking.answers.items() >= before.items()
    moments.at(max(now, 60))
    asking = moments.asking
    assert asking.awaited == []
    assert sorted([*asking.answers, *asking.lost]) == ["cluster1", "cluster2"]
