from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fedspoke.api import parse
from fedspoke.api.federated_learning import Object
from fedspoke.api.names import DOMAIN, GPUS_CLAIM
from fedspoke.placement.declared import platforms_of
from fedspoke.placement.evaluate import Decision, evaluate
from fedspoke.placement.objects import placement
from support import build

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def names(decision: Decision) -> list[str]:
    return [name for name, _ in decision.decisions]


def decide(placement: Object, *clusters: Object) -> Decision:
    return evaluate(placement, build.fleet(*clusters), NOW)


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
    client = {"data": {"platforms": platforms, "minPosts": posts}, "resources": {"limits": {"nvidia.com/gpu": gpus}}}
    fl = parse.federated_learning(build.federated_learning(client=client))

    enough = declared["labels"].get("gpu") == "true" or int(declared["claims"].get(GPUS_CLAIM, "0")) >= gpus
    expected = bool(platforms_of(cluster, fl)) and enough

    assert bool(decide(placement(fl), cluster).decisions) == expected
