import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedspoke.api.errors import Refused
from fedspoke.api.federated_learning import Object
from fedspoke.placement.declared import name
from fedspoke.placement.fleet import Fleet
from fedspoke.placement.sets import View, view
from support import build

SET_LABEL = "cluster.open-cluster-management.io/clusterset"


def exclusive(name: str) -> Object:
    return build.cluster_set(name) | {"spec": {"clusterSelector": {"selectorType": "ExclusiveClusterSetLabel"}}}


def member(name: str, of: str) -> Object:
    return build.cluster(name, labels={SET_LABEL: of})


def seen(found: View) -> list[str]:
    return [name(cluster) for cluster in found.clusters]


def look(fleet: Fleet, *asked: str) -> View:
    return view(build.placement(clusterSets=list(asked)), fleet)


def test_a_cluster_is_seen_through_its_set_and_the_sets_binding() -> None:
    fleet = Fleet(clusters=(member("a", "eu"), member("b", "us")), sets=(exclusive("eu"),), bindings=(build.binding("eu"),))

    assert seen(look(fleet)) == ["a"]


def test_a_set_without_a_type_is_exclusive() -> None:
    bare = exclusive("eu") | {"spec": {}}

    assert seen(look(Fleet(clusters=(member("a", "eu"),), sets=(bare,), bindings=(build.binding("eu"),)))) == ["a"]


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        pytest.param({}, ["a", "b"], id="an empty selector takes all"),
        pytest.param({"matchLabels": {"tier": "1"}}, ["a"], id="by a label"),
        pytest.param({"matchExpressions": [build.has("tier", "NotIn", "1")]}, ["b"], id="by an expression"),
    ],
)
def test_a_set_may_select_by_labels(selector: Object, names: list[str]) -> None:
    clusters = build.cluster("a", labels={"tier": "1"}), build.cluster("b")

    assert seen(look(build.fleet(*clusters, sets=(build.cluster_set(**selector),)))) == names


def test_a_set_by_labels_without_a_selector_takes_none() -> None:
    nothing = build.cluster_set() | {"spec": {"clusterSelector": {"selectorType": "LabelSelector"}}}

    assert seen(look(build.fleet(build.cluster("a"), sets=(nothing,)))) == []


def test_a_binding_counts_without_its_bound_condition_and_under_its_own_name() -> None:
    misnamed = build.binding("global") | {"spec": {"clusterSet": "other"}}

    assert seen(look(build.fleet(build.cluster("a"), bindings=(misnamed,)))) == ["a"]


def test_only_sets_that_are_asked_for_are_looked_at() -> None:
    clusters = member("a", "eu"), member("b", "us")
    fleet = Fleet(clusters, (exclusive("eu"), exclusive("us")), (build.binding("eu"), build.binding("us")))

    assert seen(look(fleet)) == ["a", "b"]
    assert seen(look(fleet, "us")) == ["b"]
    assert look(fleet, "us").out_of_sight == {"a": "is in the ManagedClusterSet eu, which clusterSets does not name"}


def test_a_cluster_that_is_being_deleted_is_not_seen() -> None:
    leaving = build.cluster("a")
    leaving["metadata"]["deletionTimestamp"] = "2026-11-21T12:00:00Z"

    assert look(build.fleet(leaving)).out_of_sight == {"a": "is being deleted"}


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ({}, "is in no ManagedClusterSet"),
        ({SET_LABEL: "us"}, "is in the ManagedClusterSet us, which is not bound to the namespace default"),
    ],
)
def test_a_cluster_that_is_not_seen_hears_why(labels: dict[str, str], said: str) -> None:
    fleet = Fleet(
        clusters=(build.cluster("a", labels=labels),),
        sets=(exclusive("eu"), exclusive("us")),
        bindings=(build.binding("eu"), build.binding("us", namespace="other")),
    )

    assert look(fleet).out_of_sight == {"a": said}


@pytest.mark.parametrize(
    ("fleet", "asked", "reason", "message"),
    [
        pytest.param(
            build.fleet(build.cluster("a"), bindings=()),
            [],
            "NoManagedClusterSetBindings",
            "No valid ManagedClusterSetBindings found in placement namespace",
            id="no binding",
        ),
        pytest.param(
            build.fleet(build.cluster("a"), sets=()),
            ["eu"],
            "NoManagedClusterSetBindings",
            "No valid ManagedClusterSetBindings found in placement namespace",
            id="a binding of a set that is not there",
        ),
        pytest.param(
            build.fleet(build.cluster("a")),
            ["eu", "us"],
            "NoIntersection",
            "None of ManagedClusterSets [eu,us] is bound to placement namespace",
            id="no set in common",
        ),
        pytest.param(
            Fleet(sets=(exclusive("us"), exclusive("eu")), bindings=(build.binding("us"), build.binding("eu"))),
            [],
            "AllManagedClusterSetsEmpty",
            "All ManagedClusterSets [eu,us] have no member ManagedCluster",
            id="empty sets",
        ),
    ],
)
def test_where_nothing_is_seen_the_reason_is_ocms(fleet: Fleet, asked: list[str], reason: str, message: str) -> None:
    found = look(fleet, *asked)

    assert not found.clusters
    assert found.unsatisfied
    assert (found.unsatisfied.reason, found.unsatisfied.message) == (reason, message)


def test_where_something_is_seen_there_is_no_such_reason() -> None:
    assert look(build.fleet(build.cluster("a"))).unsatisfied is None


@pytest.mark.parametrize(
    "selector",
    [
        {"selectorType": "LabelSelector", "labelSelector": {"matchExpressions": [build.has("tier", "In")]}},
        {"selectorType": "Everything"},
    ],
)
def test_a_set_on_which_ocm_fails_is_refused_by_name(selector: Object) -> None:
    bad = build.cluster_set("bad") | {"spec": {"clusterSelector": selector}}

    with pytest.raises(Refused, match="ManagedClusterSet bad"):
        look(build.fleet(build.cluster("a"), sets=(build.cluster_set(), bad), bindings=(build.binding("bad"),)))


NAMES = st.sampled_from(["eu", "us", "asia"])


@given(st.lists(NAMES, max_size=4), st.sets(NAMES), st.sets(NAMES), st.sets(NAMES))
def test_every_cluster_is_seen_or_hears_why_and_asking_for_less_shows_no_more(
    of: list[str], sets: set[str], bound: set[str], asked: set[str]
) -> None:
    clusters = tuple(member(f"c{n}", each) for n, each in enumerate(of))
    fleet = Fleet(clusters, tuple(map(exclusive, sorted(sets))), tuple(map(build.binding, sorted(bound))))
    found = look(fleet, *sorted(asked))

    assert {*seen(found), *found.out_of_sight} == {name(cluster) for cluster in clusters}
    assert not set(seen(found)) & found.out_of_sight.keys()
    assert set(seen(found)) <= set(seen(look(fleet)))
    assert (found.unsatisfied is None) == bool(found.clusters)
