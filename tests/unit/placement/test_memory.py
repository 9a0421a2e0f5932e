from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedspoke.api import parse
from fedspoke.api.base import Object
from fedspoke.api.placement_spec import Predicate
from fedspoke.placement import declared
from fedspoke.placement.evaluate import evaluate
from fedspoke.placement.fleet import Fleet
from fedspoke.placement.memory import Memory
from support import build
from support.fleets import NAMES, clusters, decisions, fleets, placements, scores

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
BERLIN, LYON = build.cluster("berlin"), build.cluster("lyon")


class Asked:
    """Tells which clusters a Memory asked for."""

    def __init__(self, memory: Memory, selector: Object) -> None:
        self.memory, self.names = memory, list[str]()
        self.predicates: list[Predicate] = parse.placement(build.placement(selector)).predicates

    def of(self, *found: Object, scores: tuple[Object, ...] = ()) -> list[str]:
        self.names = []
        self.memory.reasons(self.predicates, found, scores, self._ask)
        return self.names

    def _ask(self, cluster: Object) -> str | None:
        self.names.append(declared.name(cluster))
        return None


def cel(*expressions: str) -> Object:
    return {"celSelector": {"celExpressions": list(expressions)}}


def test_only_what_is_new_or_changed_is_asked_again() -> None:
    asked = Asked(Memory(), build.with_label(region="eu"))

    assert asked.of(BERLIN, LYON) == ["berlin", "lyon"]
    assert asked.of(LYON, BERLIN) == []
    assert asked.of(BERLIN, LYON | {"status": {}}) == ["lyon"]
    assert asked.of(BERLIN) == []
    assert asked.of(BERLIN, LYON) == ["lyon"]  # what is gone is forgotten


def test_a_cluster_whose_score_changed_is_asked_again() -> None:
    asked = Asked(Memory(), cel('managedCluster.scores("federated-learning").size() > 0'))
    score, other = build.scores("berlin", gpusFree=1), build.scores("lyon", gpusFree=1)
    asked.of(BERLIN, LYON, scores=(score, other))

    assert asked.of(BERLIN, LYON, scores=(score, build.scores("lyon", gpusFree=2))) == ["lyon"]
    assert asked.of(BERLIN, LYON, scores=(score,)) == ["lyon"]


def test_other_predicates_ask_every_cluster() -> None:
    memory = Memory()
    Asked(memory, build.with_label(region="eu")).of(BERLIN, LYON)

    assert Asked(memory, build.with_label(region="us")).of(BERLIN, LYON) == ["berlin", "lyon"]


@pytest.mark.parametrize(
    ("expression", "every"),
    [
        ('managedCluster.scores("a").size() > 0', False),
        ('{"metadata": {"name": "lyon"}}.scores("a").size() > 0', True),
        ('[managedCluster].all(c, c.scores("a").size() > 0)', True),
        ('{"managedCluster": {}}.managedCluster.scores("a").size() > 0', True),
        ('[{}].all(managedCluster, managedCluster.scores("a").size() > 0)', True),
        ('[{}].all(managedCluster // each\n, managedCluster.scores("a").size() > 0)', True),
        ('managedCluster.metadata.name != "managedCluster, scores"', False),
    ],
)
def test_an_expression_that_may_look_at_other_clusters_is_always_asked(expression: str, every: bool) -> None:
    asked = Asked(Memory(), cel(expression))
    asked.of(BERLIN, LYON)

    assert asked.of(BERLIN, LYON) == (["berlin", "lyon"] if every else [])


Change = tuple[str, object]
CHANGES: st.SearchStrategy[Change] = st.one_of(
    *(st.tuples(st.just("cluster"), clusters(name)) for name in NAMES),
    *(st.tuples(st.just("score"), scores(name)) for name in NAMES),
    st.tuples(st.just("gone"), st.sampled_from(NAMES)),
    st.tuples(st.just("decisions"), decisions()),
    st.tuples(st.just("time"), st.integers(1, 90)),
    st.tuples(st.just("placement"), placements()),
)


@given(placements(), fleets(), st.lists(CHANGES, min_size=1, max_size=8))
def test_with_a_memory_every_decision_is_the_one_without(
    placement: Object, fleet: Fleet, changes: list[tuple[str, object]]
) -> None:
    memory, now = Memory(), NOW
    evaluate(placement, fleet, now, memory)
    for kind, change in changes:
        match kind, change:
            case "cluster", dict():
                others = tuple(it for it in fleet.clusters if declared.name(it) != declared.name(change))
                fleet = replace(fleet, clusters=(*others, change))
            case "score", dict():
                whose = change["metadata"]["namespace"]
                others = tuple(it for it in fleet.scores if it["metadata"]["namespace"] != whose)
                fleet = replace(fleet, scores=(*others, change))
            case "gone", str():
                fleet = replace(fleet, clusters=tuple(it for it in fleet.clusters if declared.name(it) != change))
            case "decisions", tuple():
                fleet = replace(fleet, decisions=change)
            case "time", int():
                now += timedelta(minutes=change)
            case "placement", dict():
                placement = change

        assert evaluate(placement, fleet, now, memory) == evaluate(placement, fleet, now)
