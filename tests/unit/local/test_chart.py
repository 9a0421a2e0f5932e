import math
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from fedspoke.local.chart import Chart, line_chart

losses = st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=30)


def drawn(pairs: list[tuple[int, float]]) -> Chart:
    return line_chart({"cluster1": pairs})


@given(losses)
def test_every_value_is_inside_the_plot_and_a_larger_one_is_never_lower(values: list[float]) -> None:
    chart = drawn(list(enumerate(values, start=1)))
    points = chart.lines[0].points
    assert [point.value for point in points] == values
    assert all(0 <= point.x <= 100 and 0 <= point.y <= 100 for point in points)
    by_value = sorted(points, key=lambda point: point.value)
    assert all(math.isclose(a.y, b.y) or a.y > b.y for a, b in pairwise(by_value))
    assert 2 <= len(chart.ys) <= 8
    assert (chart.ys[0].at, chart.ys[-1].at) == (100, 0)


@given(st.integers(1, 500))
def test_round_labels_stay_few_enough_to_be_read(rounds: int) -> None:
    chart = drawn([(number, 1.0) for number in range(1, rounds + 1)])
    assert 1 <= len(chart.xs) <= 10


def test_a_missed_round_is_a_gap() -> None:
    chart = drawn([(1, 3.0), (2, 2.0), (4, 1.0), (5, 0.5)])
    assert [(a.round, b.round) for a, b in chart.lines[0].segments] == [(1, 2), (4, 5)]


def test_ticks_are_round_numbers() -> None:
    chart = drawn([(1, 5.4), (2, 3.1)])
    assert [tick.label for tick in chart.ys] == ["3.0", "3.5", "4.0", "4.5", "5.0", "5.5"]
    assert [tick.at for tick in chart.ys] == [100, 80, 60, 40, 20, 0]


def test_a_flat_line_runs_through_the_middle() -> None:
    chart = drawn([(1, 4.0), (2, 4.0)])
    assert {point.y for point in chart.lines[0].points} == {50}
