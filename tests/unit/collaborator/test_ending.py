"""A process that is told to end: at once, or once a round that trains has let go."""

import pytest

from fedspoke.collaborator.ending import EndedError, Ending


@pytest.fixture
def left() -> list[int]:
    """With which status it has ended: a real one ends once."""
    return []


@pytest.fixture
def ending(left: list[int]) -> Ending:
    return Ending(left.append)


def test_it_leaves_at_once_where_nothing_trains(ending: Ending, left: list[int]) -> None:
    with ending.training():
        pass
    ending.end(143)
    assert left == [143]


def test_a_round_that_trains_hears_of_it_between_two_steps_and_leaves(ending: Ending, left: list[int]) -> None:
    with ending.training():
        ending.check()
        ending.end(143)
        assert left == []
        with pytest.raises(EndedError):
            ending.check()
    assert left == [143]


def test_who_says_it_twice_does_not_want_to_wait(ending: Ending, left: list[int]) -> None:
    with ending.training():
        ending.end(130)
        ending.end(143)
        assert left == [143]
