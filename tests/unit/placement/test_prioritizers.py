from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedspoke.api import parse
from fedspoke.api.base import Object
from fedspoke.api.placement_spec import PrioritizerPolicy
from fedspoke.placement.fleet import Fleet, moment
from fedspoke.placement.misconfigured import Misconfigured
from fedspoke.placement.prioritizers import Prioritized, prioritize, prioritizers
from support import build

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def policy(*configurations: Object, mode: str = "Additive") -> PrioritizerPolicy:
    asked = {"mode": mode, "configurations": list(configurations)}
    return parse.placement(build.placement(prioritizerPolicy=asked)).prioritizer_policy


def weights(*configurations: Object, mode: str = "Additive") -> list[tuple[str, int]]:
    return [(it.name, it.weight) for it in prioritizers(policy(*configurations, mode=mode))]


def said(name: str, *clusters: Object, scores: tuple[Object, ...] = (), decisions: tuple[Object, ...] = ()) -> Prioritized:
    (by,) = prioritizers(policy(build.prioritizer(name), mode="Exact"))
    return prioritize(by, clusters, moment(build.placement(), Fleet(scores=scores, decisions=decisions), NOW))


def with_resources(name: str, allocatable: dict[str, Any], capacity: dict[str, Any] | None = None) -> Object:
    return build.cluster(name) | {
        "status": {"allocatable": allocatable, "capacity": allocatable if capacity is None else capacity}
    }


# Which prioritizers, and of what weight.


@pytest.mark.parametrize("mode", ["Additive", ""])
def test_balance_and_steady_count_unless_they_are_told_not_to(mode: str) -> None:
    assert weights(mode=mode) == [("Balance", 1), ("Steady", 1)]
    assert weights(build.prioritizer("Steady", 3), mode=mode) == [("Balance", 1), ("Steady", 3)]
    assert weights(build.prioritizer("Balance", 0), mode=mode) == [("Steady", 1)]


def test_in_exact_mode_only_what_is_listed_counts() -> None:
    assert weights(mode="Exact") == []
    assert weights(build.prioritizer("ResourceAllocatableCPU", -2), mode="Exact") == [("ResourceAllocatableCPU", -2)]


def test_of_one_builtin_the_last_weight_counts_and_of_one_score_each() -> None:
    twice = build.prioritizer("Steady", 2), build.prioritizer("Steady", 5)
    both = build.prioritizer("a/b", 2), build.prioritizer("a/b", 5)

    assert weights(*twice, mode="Exact") == [("Steady", 5)]
    assert weights(*both, mode="Exact") == [("AddOn/a/b", 2), ("AddOn/a/b", 5)]


def test_a_builtin_that_also_names_a_score_is_one_beside_the_default() -> None:
    both = {"type": "BuiltIn", "builtIn": "Steady", "addOn": {"resourceName": "a", "scoreName": "b"}}

    assert weights({"scoreCoordinate": both, "weight": 2}) == [("Balance", 1), ("Steady", 1), ("Steady", 2)]


@pytest.mark.parametrize(
    ("coordinate", "message"),
    [
        ({"type": "BuiltIn", "builtIn": "Spread"}, ":incorrect builtin prioritizer: Spread"),
        ({"type": "BuiltIn"}, ":incorrect builtin prioritizer: "),
        ({"type": "AddOn"}, ":addOn should not be empty"),
    ],
)
def test_what_ocm_does_not_know_is_a_misconfiguration_unless_its_weight_is_0(coordinate: Object, message: str) -> None:
    with pytest.raises(Misconfigured) as misconfigured:
        weights({"scoreCoordinate": coordinate})

    assert str(misconfigured.value) == message
    assert weights({"scoreCoordinate": coordinate, "weight": 0}, mode="Exact") == []


def test_a_mode_that_there_is_none_of_is_a_misconfiguration() -> None:
    with pytest.raises(Misconfigured, match=r"^:incorrect prioritizer policy mode: Other$"):
        weights(mode="Other")


# What each says.


def test_steady_prefers_what_this_placement_has() -> None:
    mine = build.decided("chosen", "a")
    others = build.decided("another", "b"), build.decided("chosen", "b", namespace="elsewhere")

    said_of = said("Steady", build.cluster("a"), build.cluster("b"), decisions=(mine, *others))

    assert said_of.scores == {"a": 100, "b": 0}


def test_balance_prefers_what_other_placements_have_not() -> None:
    others = (
        *(build.decided(f"p{n}", "a", "gone") for n in range(3)),
        build.decided("q", "b"),
        build.decided("chosen", "c", namespace="elsewhere"),
    )
    mine = build.decided("chosen", "d")

    clusters = [build.cluster(name) for name in "abcd"]

    assert said("Balance", *clusters, decisions=(*others, mine)).scores == {"a": -100, "b": 32, "c": 32, "d": 100}


def test_balance_measures_by_the_most_chosen_cluster_even_if_it_does_not_qualify() -> None:
    others = (build.decided("p", "gone", "a"), build.decided("q", "gone"))

    assert said("Balance", build.cluster("a"), decisions=others).scores == {"a": 0}


def test_allocatable_goes_from_the_least_to_the_most() -> None:
    clusters = [with_resources(name, {"cpu": cpu}) for name, cpu in {"a": "1", "b": "2500m", "c": 7}.items()]

    assert said("ResourceAllocatableCPU", *clusters).scores == {"a": -100, "b": -50, "c": 100}


def test_allocatable_rounds_as_go_does() -> None:
    clusters = [with_resources(name, {"cpu": cpu}) for name, cpu in {"a": "100m", "b": "700m", "c": "1600m"}.items()]

    assert said("ResourceAllocatableCPU", *clusters).scores == {"a": -100, "b": -19, "c": 100}  # -20 without rounding


def test_clusters_with_the_same_allocatable_all_have_100() -> None:
    clusters = [with_resources(name, {"memory": "16Gi"}) for name in "ab"]

    assert said("ResourceAllocatableMemory", *clusters).scores == {"a": 100, "b": 100}


def test_a_cluster_that_does_not_say_what_it_has_gets_nothing() -> None:
    silent = build.cluster("a"), with_resources("b", {"cpu": "4"}, capacity={}), with_resources("c", {"memory": "1Gi"})

    assert said("ResourceAllocatableCPU", *silent).scores == {}
    assert said("ResourceAllocatableCPU", *silent, with_resources("d", {"cpu": "4"})).scores == {"d": 100}


def test_an_add_ons_score_counts_as_long_as_it_is_valid() -> None:
    clusters = [build.cluster(name) for name in "abcd"]
    reported = (
        build.scores("a", gpusFree=40, posts=3),
        build.scores("b", gpusFree=50, until="2026-11-21T12:00:00Z"),
        build.scores("c", gpusFree=60, until="2026-11-21T12:59:59+01:00"),
        build.scores("d", posts=70),
        build.scores("d", "another", gpusFree=80),
    )

    answer = said("federated-learning/gpusFree", *clusters, scores=reported)

    assert answer.name == "AddOn/federated-learning/gpusFree"
    assert answer.scores == {"a": 40, "b": 50, "c": 0, "d": 0}
    assert answer.remarks == {"c": "expired at 2026-11-21T12:59:59+01:00", "d": "not reported"}


@given(st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 10**12), min_size=1), st.lists(st.sampled_from("abcdefgh")))
def test_every_builtin_score_is_from_minus_100_to_100(amounts: dict[str, int], elsewhere: list[str]) -> None:
    clusters = [with_resources(name, {"cpu": amount}) for name, amount in amounts.items()]
    decisions = tuple(build.decided(f"p{n}", name) for n, name in enumerate(elsewhere))

    for name in ("Balance", "Steady", "ResourceAllocatableCPU"):
        scores = said(name, *clusters, decisions=decisions).scores
        assert scores.keys() == amounts.keys()
        assert all(-100 <= score <= 100 for score in scores.values())
