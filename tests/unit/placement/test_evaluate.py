from datetime import UTC, datetime

import pytest

from fedspoke.api.federated_learning import Object
from fedspoke.placement.conditions import Condition
from fedspoke.placement.evaluate import Decision, evaluate
from support import build

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def names(decision: Decision) -> list[str]:
    return [name for name, _ in decision.decisions]


def reason(decision: Decision, name: str = "cluster1") -> str:
    return dict(decision.rejected)[name]


def decide(placement: Object, *clusters: Object) -> Decision:
    return evaluate(placement, build.fleet(*clusters), NOW)


def condition(decision: Decision, of: str) -> Condition:
    return next(found for found in decision.conditions if found.type == of)


def test_a_placement_without_predicates_chooses_every_cluster_by_name() -> None:
    decision = decide(build.placement(), build.cluster("b"), build.cluster("a"))

    assert (decision.decisions, decision.rejected) == ((("a", 100), ("b", 100)), ())


def test_a_cluster_that_meets_any_one_predicate_is_chosen() -> None:
    asked = build.placement(build.with_claim(build.has("data")), build.with_label(build.has("region", "In", "eu", "us")))
    by_claim, by_label = build.cluster("a", claims={"data": "/d"}), build.cluster("b", labels={"region": "us"})

    assert names(decide(asked, by_claim, by_label, build.cluster("c"))) == ["a", "b"]


def test_numbers_of_clusters_beyond_the_first_names_are_told_so() -> None:
    decision = decide(build.placement(numberOfClusters=1), build.cluster("a"), build.cluster("b"))

    assert names(decision) == ["a"]
    assert reason(decision, "b") == (
        "qualifies, but numberOfClusters is 1: score 100, as the last taken, a, and of equal scores the first names win"
    )


@pytest.mark.parametrize(
    ("cluster", "said"),
    [
        pytest.param(
            build.cluster(taints=[{"key": "cluster.open-cluster-management.io/unreachable", "effect": "NoSelect"}]),
            "has the taint cluster.open-cluster-management.io/unreachable (NoSelect)",
            id="unreachable",
        ),
        pytest.param(
            build.cluster(taints=[{"key": "gpu", "value": "broken", "effect": "NoSelectIfNew"}]),
            "has the taint gpu=broken (NoSelectIfNew)",
            id="not for new ones",
        ),
    ],
)
def test_a_cluster_that_could_not_work_is_kept_out(cluster: Object, said: str) -> None:
    assert said in reason(decide(build.placement(), cluster))


def test_a_cluster_that_is_being_deleted_is_kept_out() -> None:
    cluster = build.cluster()
    cluster["metadata"]["deletionTimestamp"] = "2026-11-21T00:00:00Z"

    assert reason(decide(build.placement(), cluster)) == "is being deleted"


def test_a_toleration_that_has_run_out_is_said_with_its_end() -> None:
    taint = {"key": "gpu", "effect": "NoSelect", "timeAdded": "2026-11-21T13:00:00+02:00"}
    tolerations = [{"key": "gpu", "operator": "Exists", "tolerationSeconds": 1800}]

    decision = decide(build.placement(tolerations=tolerations), build.cluster(taints=[taint]))

    assert reason(decision) == "has the taint gpu (NoSelect, tolerated until 2026-11-21T11:30:00Z)"


def test_a_toleration_of_some_seconds_never_begins_where_the_taint_has_no_time() -> None:
    tolerations = [{"key": "gpu", "operator": "Exists", "tolerationSeconds": 1800}]

    decision = decide(build.placement(tolerations=tolerations), build.cluster(taints=[{"key": "gpu", "effect": "NoSelect"}]))

    never = "its toleration never began, as the taint has no timeAdded"
    assert reason(decision) == f"has the taint gpu (NoSelect, {never})"


@pytest.mark.parametrize(("operator", "tolerated"), [("Equal", True), ("", True), ("Exists", True), ("Near", False)])
def test_an_operator_that_there_is_none_of_tolerates_nothing(operator: str, tolerated: bool) -> None:
    taint = {"key": "gpu", "effect": "NoSelect"}

    decision = decide(build.placement(tolerations=[{"key": "gpu", "operator": operator}]), build.cluster(taints=[taint]))

    assert bool(decision.decisions) == tolerated


def test_a_taint_for_new_ones_keeps_none_out_that_was_chosen_before() -> None:
    clusters = [build.cluster(name, taints=[{"key": "gpu", "effect": "NoSelectIfNew"}]) for name in "ab"]

    decision = evaluate(build.placement(), build.fleet(*clusters, decisions=(build.decided("chosen", "b"),)), NOW)

    assert decision.decisions == (("b", 200),)


def test_a_taint_that_only_advises_keeps_no_cluster_out() -> None:
    cluster = build.cluster(taints=[{"key": "busy", "effect": "PreferNoSelect"}])

    assert names(decide(build.placement(), cluster)) == ["cluster1"]


def test_defaults_that_an_api_server_wrote_out_are_no_wishes() -> None:
    written: Object = {
        "prioritizerPolicy": {"mode": "Additive"},
        "spreadPolicy": {},
        "decisionStrategy": {"groupStrategy": {"clustersPerDecisionGroup": "100%"}},
        "sortBy": "ClusterName",
        "scoreRateLimit": "1m",
    }

    assert names(decide(build.placement(**written), build.cluster())) == ["cluster1"]


@pytest.mark.parametrize("requirement", [build.has("a", "In"), build.has("a", "Exists", "b")], ids=["In nothing", "Exists as b"])
def test_a_requirement_that_ocm_would_not_take_is_a_misconfiguration(requirement: Object) -> None:
    decision = decide(build.placement(build.with_label(requirement)), build.cluster())

    assert condition(decision, "PlacementMisconfigured").status
    assert reason(decision).startswith("is not looked at: the Placement is misconfigured (Predicate:")


def test_what_is_left_out_by_the_limit_hears_how_far_it_is_from_the_last_taken() -> None:
    clusters = [build.cluster(name) for name in "abc"]
    scores = tuple(build.scores(name, gpusFree=free) for name, free in {"a": -20, "b": 40, "c": 0}.items())
    policy = {"configurations": [build.prioritizer("federated-learning/gpusFree", 2)]}
    asked = build.placement(prioritizerPolicy=policy, numberOfClusters=2)

    decision = evaluate(asked, build.fleet(*clusters, scores=scores), NOW)

    assert decision.decisions == (("b", 180), ("c", 100))
    assert reason(decision, "a") == "qualifies, but numberOfClusters is 2: score 60, the last taken has 100"
    assert decision.prioritizers[2].scores == {"a": -20, "b": 40, "c": 0}


def test_of_0_clusters_every_one_is_too_many() -> None:
    assert reason(decide(build.placement(numberOfClusters=0), build.cluster())) == "qualifies, but numberOfClusters is 0"


def test_by_score_the_best_is_written_first() -> None:
    scores = build.scores("b", gpusFree=1), build.scores("c", gpusFree=2)
    policy = {"mode": "Exact", "configurations": [build.prioritizer("federated-learning/gpusFree")]}
    fleet = build.fleet(*(build.cluster(name) for name in "abc"), scores=scores)

    assert names(evaluate(build.placement(prioritizerPolicy=policy), fleet, NOW)) == ["a", "b", "c"]
    assert names(evaluate(build.placement(prioritizerPolicy=policy, sortBy="Score"), fleet, NOW)) == ["c", "b", "a"]


def test_a_misconfigured_placement_chooses_none_and_each_cluster_hears_why() -> None:
    policy = {"configurations": [build.prioritizer("Spread")]}
    tainted = build.cluster("b", taints=[{"key": "gpu", "effect": "NoSelect"}])

    decision = decide(build.placement(prioritizerPolicy=policy), build.cluster("a"), tainted)

    known = "Balance, Steady, ResourceAllocatableCPU, ResourceAllocatableMemory"
    assert decision.problem == f"incorrect builtin prioritizer: Spread; OCM has {known}"
    why = f"is not looked at: the Placement is misconfigured ({decision.problem})"
    assert (decision.decisions, dict(decision.rejected)) == ((), {"a": why, "b": why})
    assert condition(decision, "PlacementMisconfigured").message == ":incorrect builtin prioritizer: Spread"
    assert condition(decision, "PlacementSatisfied").reason == "NoManagedClusterMatched"


@pytest.mark.parametrize(
    ("asked", "message", "right"),
    [
        pytest.param(
            build.placement(prioritizerPolicy={"mode": "exact"}),
            ":incorrect prioritizer policy mode: exact",
            "write Additive or Exact",
            id="mode",
        ),
        pytest.param(
            build.placement(build.with_label(build.has("region", "in", "eu"))),
            'Predicate:"in" is not a valid label selector operator',
            "write In, NotIn, Exists or DoesNotExist",
            id="operator",
        ),
    ],
)
def test_what_would_be_right_is_said_beside_ocms_message(asked: Object, message: str, right: str) -> None:
    decision = decide(asked, build.cluster())

    assert condition(decision, "PlacementMisconfigured").message == message
    assert decision.problem == f"{message.removeprefix(':')}; {right}"


def test_a_weight_is_looked_at_even_where_no_cluster_is_left_and_a_toleration_is_not() -> None:
    elsewhere = build.with_label(region="mars")
    policy = {"configurations": [build.prioritizer("Spread")]}

    bad_weight = decide(build.placement(elsewhere, prioritizerPolicy=policy), build.cluster())
    bad_toleration = decide(build.placement(elsewhere, tolerations=[{"value": "no key"}]), build.cluster())

    assert condition(bad_weight, "PlacementMisconfigured").status
    assert not condition(bad_toleration, "PlacementMisconfigured").status


def test_what_is_chosen_and_not_written_down_says_so() -> None:
    asked = build.placement(decisionStrategy={"groupStrategy": {"clustersPerDecisionGroup": "3"}})

    decision = decide(asked, build.cluster())

    assert decision.decisions == ()
    assert reason(decision) == (
        "is chosen, but not written down: 3 invalid type: string is not a percentage; write 3 without quotes"
    )
    # As OCM does it: satisfied, since enough were chosen, and misconfigured.
    assert [it.status for it in decision.conditions] == [True, True]


def test_without_a_binding_no_cluster_is_seen() -> None:
    decision = evaluate(build.placement(), build.fleet(build.cluster(), bindings=()), NOW)

    assert decision.decisions == ()
    assert condition(decision, "PlacementSatisfied").reason == "NoManagedClusterSetBindings"


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (
            {"spreadPolicy": {"spreadConstraints": [{"topologyKey": "region", "topologyKeyType": "Label"}]}},
            "spreadPolicy changes",
        ),
        ({"scoreRateLimit": "5m"}, "scoreRateLimit changes nothing here"),
    ],
)
def test_what_changes_nothing_is_said(spec: Object, said: str) -> None:
    (note,) = decide(build.placement(**spec), build.cluster()).notes

    assert note.startswith(said)
    assert decide(build.placement(**spec), build.cluster()).decisions == decide(build.placement(), build.cluster()).decisions
