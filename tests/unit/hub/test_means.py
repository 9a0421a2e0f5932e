"""One number for all clusters, whatever they say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedspoke.api.records import HeldOut
from fedspoke.hub.aggregation.means import mean, overall

LOSSES = st.floats(0, 1e9)
COUNTS = st.integers(1, 10**9)


def test_a_mean_is_weighted() -> None:
    assert mean([(4.0, 1), (1.0, 3)]) == pytest.approx(1.75)


@given(st.lists(st.tuples(LOSSES, COUNTS), min_size=1))
def test_a_mean_lies_between_what_was_said(told: list[tuple[float, int]]) -> None:
    values = [value for value, _ in told]
    assert min(values) <= mean(told) <= max(values)


def test_the_clusters_weigh_by_the_posts_that_they_hold_out() -> None:
    measured = [HeldOut(posts=1, before=4, after=2), None, HeldOut(posts=3, before=8, after=6)]
    assert overall(measured) == HeldOut(posts=4, before=7, after=5)


def test_where_nothing_is_held_out_there_is_no_mean() -> None:
    assert overall([None, None]) is None


@given(st.lists(st.builds(HeldOut, posts=COUNTS, before=LOSSES, after=LOSSES), min_size=1))
def test_the_mean_of_records_is_a_record(measured: list[HeldOut]) -> None:
    assert overall(measured) is not None
