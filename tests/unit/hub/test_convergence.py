"""When a federation stops early, and what it says then."""

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedspoke.api.federated_learning import Server
from fedspoke.api.records import ClusterRound, HeldOut, RoundRecord
from fedspoke.hub.aggregation.convergence import over


def part(loss: float, held_out: float | None = None) -> ClusterRound:
    measured = None if held_out is None else HeldOut(posts=1, before=held_out, after=0)
    return ClusterRound(loss=loss, examples=1, seconds=1, bytes_in=1, bytes_out=1, held_out=measured)


def rounds(*clusters: Mapping[str, ClusterRound]) -> list[RoundRecord]:
    return [
        RoundRecord(round=number, digest="0" * 64, loss=1, seconds=1, clusters=dict(parts))
        for number, parts in enumerate(clusters, 1)
    ]


def alone(*losses: float) -> list[RoundRecord]:
    return rounds(*({"cluster1": part(loss)} for loss in losses))


def server(method: str = "all", patience: int = 2, min_delta: float = 0.01) -> Server:
    return Server.model_validate({"rounds": 10, "convergence": {"method": method, "patience": patience, "minDelta": min_delta}})


@pytest.mark.parametrize(
    ("losses", "ends"),
    [
        pytest.param([], False, id="nothing yet"),
        pytest.param([1.0, 1.0], False, id="one round without improvement, of two"),
        pytest.param([1.0, 1.0, 1.0], True, id="two rounds"),
        pytest.param([1.0, 0.995, 0.991], True, id="an improvement smaller than minDelta is none"),
        pytest.param([1.0, 0.995, 0.99], False, id="two small ones that are a large one together are one"),
        pytest.param([1.0, 0.5, 0.6, 0.55], True, id="worse than the best, though better than the last"),
        pytest.param([1.0, 1.1, 0.5, 0.6], False, id="a late improvement begins the count anew"),
    ],
)
def test_it_has_converged_when_the_loss_has_not_improved_for_as_long_as_patience(losses: list[float], ends: bool) -> None:
    assert bool(over(server(), alone(*losses))) is ends


def test_the_sentence_says_after_which_round_and_whose_loss() -> None:
    assert over(server(), alone(1, 1, 1)) == (
        "converged after round 3 of 10: the loss of cluster1 has not improved by 0.01 in the last 2 rounds"
    )


@pytest.mark.parametrize(("method", "ends"), [("any", True), ("all", False)])
def test_one_cluster_or_all_of_them_must_have_converged(method: str, ends: bool) -> None:
    records = rounds(*({"cluster1": part(1), "cluster2": part(loss)} for loss in (3, 2, 1)))
    assert bool(over(server(method), records)) is ends


def test_what_is_held_out_is_watched_rather_than_the_training() -> None:
    assert not over(server(), rounds(*({"cluster1": part(1.0, loss)} for loss in (3, 2, 1))))
    assert over(server(), rounds(*({"cluster1": part(loss, 1.0)} for loss in (3, 2, 1))))


def test_losses_of_two_kinds_are_not_compared() -> None:
    records = rounds({"cluster1": part(1.0)}, {"cluster1": part(1.0, 5.0)}, {"cluster1": part(1.0, 5.0)})
    assert not over(server(), records), "of one kind there are only two"


def test_a_cluster_that_is_not_there_any_more_is_not_waited_for() -> None:
    records = rounds({"cluster1": part(1), "cluster2": part(1)}, {"cluster1": part(1)}, {"cluster1": part(1)})
    assert over(server(), records)


def test_a_cluster_that_came_late_has_its_own_patience() -> None:
    records = rounds({"cluster1": part(1)}, {"cluster1": part(1)}, {"cluster1": part(1), "cluster2": part(1)})
    assert not over(server(), records)


def test_without_a_rule_all_rounds_are_made() -> None:
    three = Server(rounds=3)
    assert over(three, alone(1, 1)) is None
    assert over(three, alone(1, 1, 1)) == "3 rounds are done"


def test_no_difference_at_all_is_no_improvement_even_where_any_would_do() -> None:
    assert over(server(min_delta=0, patience=1), alone(1, 1))
    assert not over(server(min_delta=0, patience=1), alone(1, 0.999))


@given(st.lists(st.floats(0, 10), max_size=8), st.integers(1, 4), st.floats(0, 1))
def test_any_converges_no_later_than_all(losses: Sequence[float], patience: int, min_delta: float) -> None:
    records = rounds(*({"cluster1": part(loss), "cluster2": part(1)} for loss in losses))
    if over(server("all", patience, min_delta), records):
        assert over(server("any", patience, min_delta), records)
