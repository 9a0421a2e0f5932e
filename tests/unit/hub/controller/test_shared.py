"""What all federations read of the hub is read once for all, and never kept for longer than some seconds."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from fedspoke.api.base import Object
from fedspoke.api.errors import Failed
from fedspoke.hub.controller import kinds
from fedspoke.hub.controller.shared import Shared
from fedspoke.hub.controller.world import outdated
from fedspoke.kube.client import Kind
from support import build
from support.hub import Hub
from support.kube import Lists

LASTS = 10


class _Counting(Lists):
    """Counts the times that a kind was read."""

    def __init__(self, *objects: Object, **others: Any) -> None:
        super().__init__(*objects, **others)
        self.read: list[Kind] = []

    def each(self, kind: Kind, *of: Any, **more: Any) -> Iterator[Object]:
        self.read.append(kind)
        return super().each(kind, *of, **more)


class _Clock:
    time = 1000.0

    def __call__(self) -> float:
        return self.time


def names(shared: Shared, **how: float) -> list[str]:
    return [it["metadata"]["name"] for it in shared.all(kinds.CLUSTER, **how)]


def test_a_cluster_that_joins_or_goes_is_seen_after_that_time_and_not_read_before():
    kube, clock = _Counting(build.cluster("berlin")), _Clock()
    shared = Shared(kube, LASTS, clock)
    assert names(shared) == ["berlin"]
    kube.keep(build.cluster("lyon"))
    clock.time += LASTS - 1
    assert (names(shared), len(kube.read)) == (["berlin"], 1)
    clock.time += 1
    assert (names(shared), len(kube.read)) == (["berlin", "lyon"], 2)


def test_who_needs_it_newer_than_a_moment_gets_it_so():
    kube, clock = _Counting(build.cluster("berlin")), _Clock()
    shared = Shared(kube, LASTS, clock)
    names(shared)
    kube.keep(build.cluster("lyon"))
    clock.time += 1
    assert names(shared, since=clock.time - 2) == ["berlin"]
    assert names(shared, since=clock.time) == ["berlin", "lyon"]


def test_many_at_once_read_it_once():
    together = 8
    kube, barrier = _Counting(build.cluster("berlin")), Barrier(together)
    shared = Shared(kube, LASTS, _Clock())

    def ask(_: int) -> list[str]:
        barrier.wait()
        return names(shared)

    with ThreadPoolExecutor(together) as pool:
        assert list(pool.map(ask, range(together))) == [["berlin"]] * together
    assert kube.read == [kinds.CLUSTER]


def test_a_failure_is_told_to_each_and_not_kept():
    kube = _Counting(build.cluster("berlin"), lacks=[kinds.CLUSTER])
    shared = Shared(kube, LASTS, _Clock())
    for _ in range(2):
        with pytest.raises(Failed):
            names(shared)
    kube.lacks = set()
    assert names(shared) == ["berlin"]


AWAY: Object = {"taints": [{"key": "cluster.open-cluster-management.io/unreachable", "effect": "NoSelect"}]}


@pytest.mark.parametrize(
    ("chosen", "clusters", "is_so"),
    [
        pytest.param(("berlin", "lyon"), {"berlin": {}, "lyon": {}}, False, id="not where all is as it was"),
        pytest.param(("berlin", "lyon", "oslo"), {"berlin": {}, "lyon": {}}, True, id="where one is chosen that is new"),
        pytest.param(("berlin",), {"berlin": {}, "lyon": {}}, True, id="where one left that seems well"),
        pytest.param(("berlin",), {"berlin": {}, "lyon": AWAY}, False, id="not where one left that is seen to be away"),
    ],
)
def test_clusters_are_read_anew_before_a_decision_is_followed(chosen: tuple[str, ...], clusters: dict[str, Object], is_so: bool):
    works = [{"metadata": {"namespace": name}} for name in ("berlin", "lyon")]
    there = [{"metadata": {"name": name}, "spec": spec} for name, spec in clusters.items()]
    assert outdated(there, [build.decided("social", *chosen)], works) is is_so


def test_a_cluster_that_was_well_a_moment_ago_keeps_its_work_when_ocm_leaves_it_out_for_being_away():
    hub = Hub.running()
    hub.controller.shared.lasts = 3600
    hub.converge()
    hub.put(build.away(build.cluster("lyon", labels=build.labelled("facebook")), hub.now))
    hub.choose("berlin")
    hub.settle()
    assert hub.works() == ["berlin", "lyon"]


def test_federations_read_the_hubs_clusters_and_nodes_together():
    kube = _Counting(build.cluster("berlin"), build.cluster_set(), *(build.federated_learning(it) for it in ("one", "two")))
    hub = Hub(kube)
    hub.controller.shared.lasts = 3600
    for name in ("one", "two", "one", "two"):
        hub.converge(name=name)
    assert {kind: kube.read.count(kind) for kind in (kinds.CLUSTER, kinds.CLUSTER_SET, kinds.SCORE, kinds.NODE)} == {
        kinds.CLUSTER: 1,
        kinds.CLUSTER_SET: 1,
        kinds.SCORE: 1,
        kinds.NODE: 1,
    }
