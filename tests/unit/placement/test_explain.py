from datetime import UTC, datetime
from typing import Any

from fedspoke.placement.evaluate import Decision, evaluate
from fedspoke.placement.explain import Table, tables
from support import build

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def decision(**spec: Any) -> Decision:
    clusters = [build.cluster(name, labels={"region": "eu"}) for name in "abc"] + [build.cluster("d")]
    scores = build.scores("a", gpusFree=-40), build.scores("b", gpusFree=40), build.scores("c", until="2026-11-21T00:00:00Z")
    policy = {"configurations": [build.prioritizer("federated-learning/gpusFree", 2), build.prioritizer("Steady", 0)]}
    asked = build.placement(build.with_label(region="eu"), prioritizerPolicy=policy, **spec)
    return evaluate(asked, build.fleet(*clusters, scores=scores), NOW)


def chosen(of: Decision) -> Table:
    return next(tables(of))


def test_what_is_chosen_has_what_its_score_is_made_of_and_the_others_have_their_reasons() -> None:
    chosen, others, _ = tables(decision(numberOfClusters=2))

    assert chosen == (
        ["CHOSEN", "SCORE", "MADE OF"],
        [
            ["b", "180", "Balance 100×1, gpusFree 40×2"],
            ["c", "100", "Balance 100×1, gpusFree 0×2 (expired at 2026-11-21T00:00:00Z)"],
        ],
    )
    limit = "qualifies, but numberOfClusters is 2: score 20, the last taken has 100 (Balance 100×1, gpusFree -40×2)"
    assert others == (["NOT CHOSEN", "WHY NOT"], [["a", limit], ["d", "no label region=eu"]])


def test_a_table_without_a_row_is_not_there() -> None:
    every_one = evaluate(build.placement(), build.fleet(build.cluster()), NOW)

    assert [columns[0] for columns, _ in tables(every_one)] == ["CHOSEN", "CONDITION"]


def test_a_toleration_that_will_end_says_when() -> None:
    taint = {"key": "gpu", "effect": "NoSelect", "timeAdded": "2026-11-21T13:30:00+02:00"}
    tolerations = [{"key": "gpu", "operator": "Exists", "tolerationSeconds": 3600}]
    clusters = build.cluster("a", taints=[taint]), build.cluster("b")

    found = evaluate(build.placement(tolerations=tolerations), build.fleet(*clusters), NOW)

    columns, rows = chosen(found)
    assert columns == ["CHOSEN", "TOLERATED UNTIL", "SCORE", "MADE OF"]
    assert [row[:2] for row in rows] == [["a", "2026-11-21T12:30:00Z"], ["b", ""]]
    assert found.as_json()["toleratedUntil"] == {"a": "2026-11-21T12:30:00Z"}


def test_groups_are_told_where_there_are_several() -> None:
    canary = {"groupName": "canary", "groupClusterSelector": build.with_claim(build.has("none", "DoesNotExist"))}

    columns, found = chosen(
        decision(decisionStrategy={"groupStrategy": {"decisionGroups": [canary], "clustersPerDecisionGroup": 2}})
    )

    assert columns[1] == "GROUP"
    assert [row[:2] for row in found] == [["a", "0 canary"], ["b", "0 canary"], ["c", "1 canary"]]


def test_scores_of_one_name_are_told_apart_by_their_add_on() -> None:
    policy = {"mode": "Exact", "configurations": [build.prioritizer("a/free"), build.prioritizer("b/free")]}
    scores = build.scores("x", "a", free=1), build.scores("x", "b", free=2)

    _, ((_, _, parts),) = chosen(
        evaluate(build.placement(prioritizerPolicy=policy), build.fleet(build.cluster("x"), scores=scores), NOW)
    )

    assert parts == "AddOn/a/free 1×1, AddOn/b/free 2×1"


def test_the_conditions_are_ocms() -> None:
    *_, (_, found) = tables(decision(numberOfClusters=5))

    assert found == [
        ["PlacementSatisfied", "False", "NotAllDecisionsScheduled", "2 cluster decisions unscheduled"],
        ["PlacementMisconfigured", "False", "Succeedconfigured", "Placement configurations check pass"],
    ]
