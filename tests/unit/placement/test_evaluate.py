from datetime import UTC, datetime
from typing import Any

import pytest

from fedspoke.api import parse
from fedspoke.api.errors import Refused
from fedspoke.api.federated_learning import FederatedLearning, Object
from fedspoke.api.names import DOMAIN, GPUS_CLAIM
from fedspoke.placement.conditions import Condition
from fedspoke.placement.evaluate import Decision, evaluate
from fedspoke.placement.fleet import Fleet
from fedspoke.placement.objects import placement
from support import build

OCM = "cluster.open-cluster-management.io"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def names(decision: Decision) -> list[str]:
    return [name for name, _ in decision.decisions]


def reason(decision: Decision, name: str = "cluster1") -> str:
    return dict(decision.rejected)[name]


def decide(placement: Object, *clusters: Object) -> Decision:
    return evaluate(placement, build.fleet(*clusters), NOW)


def condition(decision: Decision, of: str) -> Condition:
    return next(found for found in decision.conditions if found.type == of)


def federation(**client: Any) -> FederatedLearning:
    return parse.federated_learning(build.federated_learning(client=client))


def why(cluster: Object, **client: Any) -> str:
    return reason(decide(placement(federation(**client)), cluster))


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


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({"deletionTimestamp": "2026-11-21T00:00:00Z"}, "Placement chosen is being deleted"),
        ({"annotations": {f"{OCM}/experimental-scheduling-disable": "true"}}, "leaves it to another scheduler"),
        ({"name": "x" * 64}, "at most 63 lower-case letters"),
        ({"name": None}, "metadata.name of a Placement is null"),
        ({"name": "a..b"}, 'metadata.name of a Placement is "a..b"'),
        ({"name": "a.-b"}, 'metadata.name of a Placement is "a.-b"'),
        ({"namespace": 5}, "metadata.namespace is 5, but must be a DNS label"),
        ({"namespace": "A B"}, 'metadata.namespace is "A B", but must be a DNS label'),
        ({"annotations": ["a"]}, r'metadata.annotations is \["a"\], but must be an object'),
        ({"labels": {"gpu": True}}, r"metadata.labels\[gpu\] is true, but key and value must be text"),
    ],
)
def test_a_placement_that_ocm_decides_nothing_for_is_refused(metadata: Object, said: str) -> None:
    asked = build.placement()

    with pytest.raises(Refused, match=said):
        decide(asked | {"metadata": asked["metadata"] | metadata}, build.cluster())


@pytest.mark.parametrize(("metadata", "said"), [(["x"], r'metadata is \["x"\]'), ("x", 'metadata is "x"'), (None, "missing")])
def test_metadata_that_is_no_object_is_refused(metadata: object, said: str) -> None:
    with pytest.raises(Refused, match=said):
        decide(build.placement() | {"metadata": metadata}, build.cluster())


def _grouped(size: object) -> Object:
    return {"decisionStrategy": {"groupStrategy": {"clustersPerDecisionGroup": size}}}


def _spread(skew: int) -> Object:
    constraint = {"topologyKey": "region", "topologyKeyType": "Label", "maxSkew": skew}
    return {"spreadPolicy": {"spreadConstraints": [constraint]}}


@pytest.mark.parametrize(
    ("spec", "beyond", "said"),
    [
        (_grouped(2**31 - 1), _grouped(2**31), "clustersPerDecisionGroup of a PlacementSpec is 2147483648, but must be from"),
        (
            _spread(2**31 - 1),
            _spread(2**31),
            r"spreadConstraints\[0\].maxSkew of a PlacementSpec is 2147483648, but must be from 1",
        ),
        ({"numberOfClusters": 2**31 - 1}, {"numberOfClusters": 2**31}, "numberOfClusters of a PlacementSpec is 2147483648"),
        (
            {"tolerations": [{"key": "a", "tolerationSeconds": 2**63 - 1}]},
            {"tolerations": [{"key": "a", "tolerationSeconds": 2**63}]},
            r"tolerations\[0\].tolerationSeconds is 9223372036854775808, but must be from",
        ),
    ],
    ids=["size of a group", "skew", "clusters", "seconds"],
)
def test_a_number_that_ocm_cannot_read_is_refused_and_the_last_before_it_is_not(spec: Object, beyond: Object, said: str) -> None:
    assert names(decide(build.placement(**spec), build.cluster())) == ["cluster1"]
    with pytest.raises(Refused, match=said):
        decide(build.placement(**beyond), build.cluster())


def test_another_kind_is_refused() -> None:
    with pytest.raises(Refused, match="ManagedCluster is not a Placement"):
        decide(build.cluster())


# Reasons.


def test_a_cluster_without_data_is_told_each_way_of_declaring_it() -> None:
    assert why(build.cluster(), data={"platforms": ["facebook", "instagram"]}) == (
        f"declares no Facebook or Instagram data (no claim facebook.data.{DOMAIN} or instagram.data.{DOMAIN}, "
        f"no label {DOMAIN}/facebook=true or {DOMAIN}/instagram=true)"
    )


def test_a_cluster_that_lacks_data_and_gpu_is_told_both() -> None:
    said = why(build.cluster(), data={"platforms": ["facebook"]}, resources={"limits": {"nvidia.com/gpu": 1}})

    assert said.startswith("declares no Facebook data (")
    assert f" and declares no GPU (no claim {GPUS_CLAIM}, no label gpu=true)" in said


def test_a_cluster_that_has_data_hears_of_its_missing_gpu_alone() -> None:
    said = why(build.cluster(claims=build.declares("facebook")), data={}, resources={"limits": {"nvidia.com/gpu": 1}})

    assert said == f"declares no GPU (no claim {GPUS_CLAIM}, no label gpu=true)"


def test_a_cluster_with_fewer_gpus_hears_how_many_it_has() -> None:
    said = why(build.cluster(claims={GPUS_CLAIM: "1"}), resources={"limits": {"nvidia.com/gpu": 2}})

    assert said == f"declares too few GPUs (claim {GPUS_CLAIM} is 1, no label gpu=true)"


def test_a_cluster_with_fewer_posts_hears_how_many_it_has() -> None:
    said = why(build.cluster(claims=build.declares("facebook", posts=5)), data={"minPosts": 20})

    assert said == f"declares too few posts (claim facebook.posts.{DOMAIN} is 5, not 20 or more)"


@pytest.mark.parametrize("posts", ["many", "-3", "", "²"])
def test_a_count_that_is_no_number_counts_for_nothing(posts: str) -> None:
    claims = build.declares("facebook") | {f"facebook.posts.{DOMAIN}": posts}

    assert "declares too few posts" in why(build.cluster(claims=claims), data={"minPosts": 1})


def test_a_label_that_the_user_asks_for_is_named_with_what_is_there() -> None:
    asked = {"predicates": [{"requiredClusterSelector": build.with_label(region="eu")}]}

    assert why(build.cluster(labels={"region": "us"}), placement=asked) == "label region is us, not eu"
    assert why(build.cluster(), placement=asked) == "no label region=eu"


def test_a_label_that_must_not_be_there_is_not_called_missing() -> None:
    asked = {"predicates": [{"requiredClusterSelector": build.with_label(build.has("gpu", "DoesNotExist"))}]}

    assert why(build.cluster(labels={"gpu": "true"}), placement=asked) == "label gpu is true, but must not be there"


def test_a_placement_without_a_spec_is_refused_as_on_an_api_server() -> None:
    without = {key: value for key, value in build.placement().items() if key != "spec"}
    with pytest.raises(Refused, match=r"spec is missing; \{\} chooses every cluster"):
        evaluate(without, Fleet(), NOW)
