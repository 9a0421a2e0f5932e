from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fedspoke.api.base import Object
from fedspoke.placement.evaluate import Decision, evaluate
from fedspoke.placement.fleet import Fleet
from support import build
from support.fleets import NAMES, fleets, placements

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
AS_MANY_AS_THERE_ARE = {"numberOfClusters": None}


def names(decision: Decision) -> list[str]:
    return [name for name, _ in decision.decisions]


def ranked(decision: Decision) -> list[str]:
    return [name for name, _ in sorted(decision.decisions, key=lambda chosen: (-chosen[1], chosen[0]))]


def with_spec(placement: Object, **fields: Any) -> Object:
    return placement | {"spec": placement["spec"] | fields}


@given(placements(), fleets())
def test_every_cluster_is_chosen_or_has_a_reason(placement: Object, fleet: Fleet) -> None:
    decision = evaluate(placement, fleet, NOW)

    everyone = names(decision) + [name for name, _ in decision.rejected]
    assert sorted(everyone) == sorted(cluster["metadata"]["name"] for cluster in fleet.clusters)
    assert all(reason.strip() for _, reason in decision.rejected)


@given(placements(), fleets(), st.randoms())
def test_the_order_in_which_objects_come_changes_nothing(placement: Object, fleet: Fleet, random: Any) -> None:
    shuffled = replace(
        fleet,
        clusters=tuple(random.sample(fleet.clusters, len(fleet.clusters))),
        scores=tuple(random.sample(fleet.scores, len(fleet.scores))),
        decisions=tuple(random.sample(fleet.decisions, len(fleet.decisions))),
    )

    assert evaluate(placement, shuffled, NOW) == evaluate(placement, fleet, NOW)


@given(placements(), fleets(), st.integers(0, 7))
def test_who_is_chosen_of_fewer_is_chosen_of_more_and_scored_alike(placement: Object, fleet: Fleet, number: int) -> None:
    fewer = evaluate(with_spec(placement, numberOfClusters=number), fleet, NOW)
    more = evaluate(with_spec(placement, numberOfClusters=number + 1), fleet, NOW)

    assert ranked(fewer) == ranked(more)[:number]
    assert dict(fewer.decisions).items() <= dict(more.decisions).items()


@given(placements(**AS_MANY_AS_THERE_ARE), fleets(), st.integers(0, 7))
def test_no_cluster_that_is_left_out_is_better_than_one_that_is_taken(placement: Object, fleet: Fleet, number: int) -> None:
    everyone = evaluate(placement, fleet, NOW)

    some = evaluate(with_spec(placement, numberOfClusters=number), fleet, NOW)

    assert ranked(some) == ranked(everyone)[:number]


@given(placements(**AS_MANY_AS_THERE_ARE), fleets())
def test_a_score_is_the_sum_of_its_parts(placement: Object, fleet: Fleet) -> None:
    decision = evaluate(placement, fleet, NOW)

    for name, score in decision.decisions:
        assert score == sum(by.weight * by.scores.get(name, 0) for by in decision.prioritizers)


@given(placements(prioritizerPolicy=None), fleets(), st.sampled_from(["ResourceAllocatableCPU", "Spread", "a/b"]))
def test_what_has_the_weight_0_is_not_there(placement: Object, fleet: Fleet, name: str) -> None:
    policy = {"mode": "Additive", "configurations": [build.prioritizer(name, 0)]}

    assert evaluate(with_spec(placement, prioritizerPolicy=policy), fleet, NOW) == evaluate(placement, fleet, NOW)


@given(placements(prioritizerPolicy=None), fleets())
def test_what_was_chosen_stays_where_nothing_else_tells_clusters_apart(placement: Object, fleet: Fleet) -> None:
    alone = replace(fleet, decisions=())
    first = evaluate(placement, alone, NOW)
    # One with a better name comes.
    joined = replace(alone, clusters=(build.cluster("a", labels={"region": "eu"}, claims={"posts": "20"}), *fleet.clusters))
    held = replace(joined, decisions=(build.decided("chosen", *names(first)),))

    assert set(names(evaluate(placement, held, NOW))) >= set(names(first))


@given(placements(), fleets())
def test_the_groups_hold_the_decision(placement: Object, fleet: Fleet) -> None:
    decision = evaluate(placement, fleet, NOW)

    assert [name for group in decision.groups for name in group.clusters] == names(decision)


@given(placements(**AS_MANY_AS_THERE_ARE), fleets(), st.sampled_from(NAMES))
def test_a_cluster_is_chosen_or_not_whoever_else_is_there(placement: Object, fleet: Fleet, name: str) -> None:
    alone = replace(fleet, clusters=tuple(it for it in fleet.clusters if it["metadata"]["name"] == name))

    assert names(evaluate(placement, alone, NOW)) == [found for found in names(evaluate(placement, fleet, NOW)) if found == name]
