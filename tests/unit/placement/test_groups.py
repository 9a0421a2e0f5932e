from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedspoke.api import parse
from fedspoke.api.base import Object
from fedspoke.placement.groups import Division, divide
from support import build

CLUSTERS = [build.cluster(name, labels={"region": "eu" if name in "bd" else "us"}) for name in "edcba"]
SCORES = {"a": 10, "b": 20, "c": 20, "d": 5, "e": 30}


def canary(**labels: str) -> Object:
    return {"groupName": "canary", "groupClusterSelector": build.with_label(**labels)}


def division(clusters: list[Object] = CLUSTERS, sort_by: str = "ClusterName", **strategy: Any) -> Division:
    spec = parse.placement(build.placement(decisionStrategy={"groupStrategy": strategy}, sortBy=sort_by))
    return divide("chosen", spec, clusters, SCORES)


def groups(divided: Division) -> list[tuple[str, str]]:
    return [(group.name, "".join(group.clusters)) for group in divided.groups]


def test_without_a_strategy_there_is_one_group_by_name() -> None:
    assert groups(division()) == [("", "abcde")]


def test_by_score_the_best_come_first_and_equals_by_name() -> None:
    assert groups(division(sort_by="Score")) == [("", "ebcad")]


def test_named_groups_come_first_and_the_rest_follows() -> None:
    assert groups(division(decisionGroups=[canary(region="eu")])) == [("canary", "bd"), ("", "ace")]


def test_a_cluster_is_in_the_first_group_that_it_matches() -> None:
    everyone = {"groupName": "rest", "groupClusterSelector": {}}

    assert groups(division(decisionGroups=[canary(region="eu"), everyone])) == [("canary", "bd"), ("rest", "ace")]


def test_a_group_that_no_cluster_matches_is_not_there() -> None:
    assert groups(division(decisionGroups=[canary(region="mars")])) == [("", "abcde")]


def test_claims_select_too() -> None:
    claimed = {"groupName": "gpu", "groupClusterSelector": build.with_claim(build.has("gpus"))}
    clusters = [build.cluster("a"), build.cluster("b", claims={"gpus": "1"})]

    assert groups(division(clusters, decisionGroups=[claimed])) == [("gpu", "b"), ("", "a")]


@pytest.mark.parametrize(
    ("size", "parts"),
    [
        (2, ["ab", "cd", "e"]),
        ("40%", ["ab", "cd", "e"]),
        ("41%", ["abc", "de"]),
        ("1%", ["a", "b", "c", "d", "e"]),
        ("100%", ["abcde"]),
        (6, ["abcde"]),
        (0, ["abcde"]),
        (-1, ["abcde"]),
    ],
)
def test_a_group_has_as_many_clusters_as_asked(size: str | int, parts: list[str]) -> None:
    assert groups(division(clustersPerDecisionGroup=size)) == [("", part) for part in parts]


def test_a_named_group_that_is_too_large_is_several_of_one_name() -> None:
    divided = division(decisionGroups=[canary()], clustersPerDecisionGroup=3)

    assert groups(divided) == [("canary", "abc"), ("canary", "de")]
    assert [group.index for group in divided.groups] == [0, 1]


def test_a_placement_without_clusters_has_one_empty_group_with_one_object() -> None:
    (group,) = division([]).groups

    assert (group.index, group.name, group.objects) == (0, "", (("chosen-decision-1", ()),))


def test_objects_hold_at_most_100_clusters_and_are_counted_through_all_groups() -> None:
    names = [f"c{n:03}" for n in range(250)]
    clusters = [build.cluster(name, labels={"region": "eu" if n < 120 else "us"}) for n, name in enumerate(names)]

    divided = division(clusters, decisionGroups=[canary(region="eu")])

    sizes = {name: len(held) for group in divided.groups for name, held in group.objects}
    assert sizes == {"chosen-decision-1": 100, "chosen-decision-2": 20, "chosen-decision-3": 100, "chosen-decision-4": 30}
    assert divided.groups[0].as_json()["clusterCount"] == 120


def test_a_number_in_quotes_is_a_misconfiguration_and_nothing_is_written() -> None:
    divided = division(clustersPerDecisionGroup="3")

    assert str(divided.problem) == ":3 invalid type: string is not a percentage"
    assert divided.groups == ()


def test_groups_before_a_bad_selector_are_written() -> None:
    bad = {"groupName": "bad", "groupClusterSelector": build.with_label(build.has("region", "In"))}

    divided = division(decisionGroups=[canary(region="eu"), bad])

    assert groups(divided) == [("canary", "bd")]
    assert divided.problem is not None


@given(st.integers(-2, 8) | st.integers(1, 100).map(lambda n: f"{n}%"), st.booleans(), st.sampled_from(["ClusterName", "Score"]))
def test_each_cluster_is_in_one_group(size: int | str, named: bool, sort_by: str) -> None:
    strategy: Object = {"decisionGroups": [canary(region="eu")]} if named else {}

    divided = division(sort_by=sort_by, clustersPerDecisionGroup=size, **strategy)

    assert sorted(name for group in divided.groups for name in group.clusters) == list("abcde")
    assert all(group.clusters for group in divided.groups)
