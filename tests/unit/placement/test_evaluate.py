from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedspoke.api import parse
from fedspoke.api.errors import Refused
from fedspoke.api.federated_learning import FederatedLearning, Object
from fedspoke.api.names import DOMAIN, GPUS_CLAIM
from fedspoke.placement.conditions import Condition
from fedspoke.placement.declared import platforms_of
from fedspoke.placement.evaluate import Decision, evaluate
from fedspoke.placement.objects import placement
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

    assert why(build.cluster(labels={"gpu": "true"}), placement=asked) == "label gpu is true"


# Laws.

KEYS = st.sampled_from(["a", "b"])
VALUES = st.sampled_from(["1", "2", "3"])
FACTS = st.dictionaries(KEYS, VALUES)
CLUSTERS = st.lists(st.tuples(FACTS, FACTS), max_size=4).map(
    lambda found: [build.cluster(f"c{n}", labels=labels, claims=claims) for n, (labels, claims) in enumerate(found)]
)
SOME: st.SearchStrategy[set[str]] = st.sets(VALUES, min_size=1)
NONE: st.SearchStrategy[set[str]] = st.just(set())
OPERATORS = {"In": SOME, "NotIn": SOME, "Exists": NONE, "DoesNotExist": NONE}
REQUIREMENTS = st.sampled_from(list(OPERATORS)).flatmap(
    lambda operator: st.builds(lambda key, values: build.has(key, operator, *sorted(values)), KEYS, OPERATORS[operator])
)
SELECTORS = st.one_of(st.builds(build.with_label, REQUIREMENTS), st.builds(build.with_claim, REQUIREMENTS))


def chosen(clusters: list[Object], *selectors: Object) -> set[str]:
    return set(names(decide(build.placement(*selectors), *clusters)))


@given(CLUSTERS, KEYS, st.sets(VALUES, min_size=1))
def test_each_operator_and_its_negation_part_the_clusters_in_two(clusters: list[Object], key: str, values: set[str]) -> None:
    everyone = chosen(clusters)
    for positive, negative, given_values in (("In", "NotIn", values), ("Exists", "DoesNotExist", set())):
        for selector in (build.with_label, build.with_claim):
            these = chosen(clusters, selector(build.has(key, positive, *given_values)))
            those = chosen(clusters, selector(build.has(key, negative, *given_values)))
            assert these | those == everyone
            assert not these & those


@given(CLUSTERS, st.lists(SELECTORS, min_size=1, max_size=3))
def test_predicates_are_ored(clusters: list[Object], selectors: list[Object]) -> None:
    assert chosen(clusters, *selectors) == set.union(*(chosen(clusters, selector) for selector in selectors))


@given(CLUSTERS, REQUIREMENTS, REQUIREMENTS)
def test_requirements_are_anded(clusters: list[Object], one: Object, other: Object) -> None:
    both = chosen(clusters, build.with_label(one) | build.with_claim(other))

    assert both == chosen(clusters, build.with_label(one)) & chosen(clusters, build.with_claim(other))
    assert chosen(clusters, build.with_label(one, other)) == chosen(clusters, build.with_label(one)) & chosen(
        clusters, build.with_label(other)
    )


@given(CLUSTERS, KEYS, VALUES)
def test_a_matching_label_is_one_that_is_in_a_list_of_one(clusters: list[Object], key: str, value: str) -> None:
    assert chosen(clusters, build.with_label(**{key: value})) == chosen(clusters, build.with_label(build.has(key, "In", value)))


@given(CLUSTERS, st.lists(SELECTORS, max_size=3), st.none() | st.integers(0, 4), st.randoms())
def test_every_cluster_is_chosen_or_has_a_reason_in_whatever_order_they_come(
    clusters: list[Object], selectors: list[Object], number: int | None, random: Any
) -> None:
    spec: Object = {} if number is None else {"numberOfClusters": number}
    decision = decide(build.placement(*selectors, **spec), *clusters)

    assert sorted(names(decision) + [name for name, _ in decision.rejected]) == [f"c{n}" for n in range(len(clusters))]
    assert all(text.strip() for _, text in decision.rejected)
    assert number is None or len(decision.decisions) <= number
    random.shuffle(clusters)
    assert decide(build.placement(*selectors, **spec), *clusters) == decision


CLAIMED = [f"{platform}.{what}.{DOMAIN}" for platform in ("facebook", "instagram") for what in ("data", "posts")]
DECLARED = st.fixed_dictionaries(
    {
        "labels": st.dictionaries(
            st.sampled_from([f"{DOMAIN}/facebook", f"{DOMAIN}/instagram", "gpu"]), st.sampled_from(["true", "false"])
        ),
        "claims": st.dictionaries(st.sampled_from([*CLAIMED, GPUS_CLAIM]), st.sampled_from(["0", "1", "2", "20"])),
    }
)


@given(
    DECLARED,
    st.lists(st.sampled_from(["facebook", "instagram"]), min_size=1, max_size=2),
    st.sampled_from([0, 1, 20]),
    st.sampled_from([0, 1, 2]),
)
def test_the_sugar_chooses_exactly_those_with_a_platform_to_train_on_and_gpus_enough(
    declared: Object, platforms: list[str], posts: int, gpus: int
) -> None:
    cluster = build.cluster(**declared)
    fl = federation(data={"platforms": platforms, "minPosts": posts}, resources={"limits": {"nvidia.com/gpu": gpus}})

    enough = declared["labels"].get("gpu") == "true" or int(declared["claims"].get(GPUS_CLAIM, "0")) >= gpus
    expected = bool(platforms_of(cluster, fl)) and enough

    assert bool(decide(placement(fl), cluster).decisions) == expected
