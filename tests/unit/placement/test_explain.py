from datetime import UTC, datetime
from typing import Any

from fedspoke.placement.evaluate import Decision, evaluate
from fedspoke.placement.explain import conditions, rows
from support import build

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def decision(**spec: Any) -> Decision:
    clusters = [build.cluster(name, labels={"region": "eu"}) for name in "abc"] + [build.cluster("d")]
    scores = build.scores("a", gpusFree=-40), build.scores("b", gpusFree=40), build.scores("c", until="2026-11-21T00:00:00Z")
    policy = {"configurations": [build.prioritizer("federated-learning/gpusFree", 2), build.prioritizer("Steady", 0)]}
    asked = build.placement(build.with_label(region="eu"), prioritizerPolicy=policy, **spec)
    return evaluate(asked, build.fleet(*clusters, scores=scores), NOW)


def test_each_cluster_has_a_row_with_what_its_score_is_made_of_or_why_it_has_none() -> None:
    columns, found = rows(decision(numberOfClusters=2))

    assert columns == ["CLUSTER", "CHOSEN", "SCORE", "MADE OF", "WHY NOT"]
    assert found == [
        ["b", "yes", "180", "Balance 100×1, gpusFree 40×2", ""],
        ["c", "yes", "100", "Balance 100×1, gpusFree 0×2 (expired at 2026-11-21T00:00:00Z)", ""],
        [
            "a",
            "no",
            "20",
            "Balance 100×1, gpusFree -40×2",
            "qualifies, but numberOfClusters is 2: score 20, the last taken has 100",
        ],
        ["d", "no", "", "", "no label region=eu"],
    ]


def test_groups_are_told_where_there_are_several() -> None:
    canary = {"groupName": "canary", "groupClusterSelector": build.with_claim(build.has("none", "DoesNotExist"))}

    columns, found = rows(
        decision(decisionStrategy={"groupStrategy": {"decisionGroups": [canary], "clustersPerDecisionGroup": 2}})
    )

    assert columns[2] == "GROUP"
    assert [row[:3] for row in found] == [
        ["a", "yes", "0 canary"],
        ["b", "yes", "0 canary"],
        ["c", "yes", "1 canary"],
        ["d", "no", ""],
    ]


def test_scores_of_one_name_are_told_apart_by_their_add_on() -> None:
    policy = {"mode": "Exact", "configurations": [build.prioritizer("a/free"), build.prioritizer("b/free")]}
    scores = build.scores("x", "a", free=1), build.scores("x", "b", free=2)

    _, ((_, _, _, parts, _),) = rows(
        evaluate(build.placement(prioritizerPolicy=policy), build.fleet(build.cluster("x"), scores=scores), NOW)
    )

    assert parts == "AddOn/a/free 1×1, AddOn/b/free 2×1"


def test_the_conditions_are_ocms() -> None:
    _, found = conditions(decision(numberOfClusters=5))

    assert found == [
        ["PlacementSatisfied", "False", "NotAllDecisionsScheduled", "2 cluster decisions unscheduled"],
        ["PlacementMisconfigured", "False", "Succeedconfigured", "Placement configurations check pass"],
    ]
