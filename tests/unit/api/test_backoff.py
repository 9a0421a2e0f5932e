"""What ended is started again after growing pauses, and not for ever."""

import sys

import pytest

from fedspoke.api.backoff import Backoff, times

BACKOFF = Backoff(most=6, well=60)


def test_pauses_double_up_to_the_longest_and_then_it_is_given_up():
    assert [BACKOFF.pause(failures) for failures in range(1, 8)] == [1, 2, 4, 8, 16, 30, None]


def test_what_is_never_given_up_has_the_longest_pause_for_ever():
    assert Backoff(most=sys.maxsize, well=60).pause(100_000) == 30


@pytest.mark.parametrize(
    ("ran", "failures"), [pytest.param(59.9, 5, id="in a row"), pytest.param(60, 1, id="after having run well")]
)
def test_what_ran_well_has_not_failed_in_a_row(ran, failures):
    assert BACKOFF.failures(4, ran) == failures


@pytest.mark.parametrize(
    ("count", "said"), [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (22, "22nd"), (112, "112th")]
)
def test_a_count_is_said_as_people_say_it(count, said):
    assert times(count) == f"{said} time"
