from pathlib import Path
from typing import Any

import pytest

from fedspoke.api import documents, parse
from fedspoke.api.federated_learning import Object, Resources
from fedspoke.api.names import GPUS_CLAIM
from fedspoke.placement.objects import bindings, gpus, placement
from support import build

GOLDEN = Path(__file__).parent / "golden"


def placed(**client: Any) -> Object:
    return placement(parse.federated_learning(build.federated_learning(client=client)))


def test_the_placement_of_a_federation_is_the_golden_one() -> None:
    found = placed(
        data={"platforms": ["facebook", "instagram"], "minPosts": 20},
        resources={"limits": {"nvidia.com/gpu": "1"}},
        placement={
            "clusterSets": ["social"],
            "numberOfClusters": 5,
            "predicates": [{"requiredClusterSelector": {"labelSelector": {"matchLabels": {"region": "eu"}}}}],
        },
    )

    assert documents.dump(found) == (GOLDEN / "placement.yaml").read_text(encoding="utf-8")


def test_without_sugar_the_placement_is_the_users_own() -> None:
    spec = {
        "predicates": [{"requiredClusterSelector": {"celSelector": {"celExpressions": ["managedCluster.metadata.name != 'x'"]}}}],
        "prioritizerPolicy": {"mode": "Exact"},
        "sortBy": "Score",
        "tolerations": [{"key": "cluster.open-cluster-management.io/unreachable", "operator": "Exists"}],
    }

    assert placed(placement=spec)["spec"] == spec


def test_without_sugar_or_predicates_every_cluster_may_take_part() -> None:
    assert placed()["spec"] == {}
    assert placed(placement={"numberOfClusters": None, "predicates": []})["spec"] == {"predicates": []}


def test_each_predicate_of_the_users_is_required_in_each_way_of_qualifying() -> None:
    users = [{"requiredClusterSelector": {"labelSelector": {"matchLabels": {"region": region}}}} for region in ("eu", "us")]

    predicates = placed(
        placement={"predicates": users}, data={"platforms": ["facebook"]}, resources={"limits": {"amd.com/gpu": 1}}
    )["spec"]["predicates"]

    # 2 regions × (claim or label) for the data × (claim or label) for the GPU
    assert len(predicates) == 8
    assert {p["requiredClusterSelector"]["labelSelector"]["matchLabels"]["region"] for p in predicates} == {"eu", "us"}


def test_the_sugar_never_contradicts_a_label_that_the_user_asks_for() -> None:
    label = {"federation-ai.open-cluster-management.io/facebook": "false"}
    users = [{"requiredClusterSelector": {"labelSelector": {"matchLabels": label}}}]

    by_label = placed(placement={"predicates": users}, data={"platforms": ["facebook"]})["spec"]["predicates"][1]

    selector = by_label["requiredClusterSelector"]["labelSelector"]
    assert selector["matchLabels"] == label
    assert [requirement["values"] for requirement in selector["matchExpressions"]] == [["true"]]


def test_two_gpus_are_asked_for_as_neither_none_nor_one() -> None:
    by_claim = placed(resources={"requests": {"nvidia.com/gpu": 2}})["spec"]["predicates"][0]

    assert by_claim["requiredClusterSelector"]["claimSelector"]["matchExpressions"] == [
        {"key": GPUS_CLAIM, "operator": "Exists"},
        {"key": GPUS_CLAIM, "operator": "NotIn", "values": ["0", "1"]},
    ]


@pytest.mark.parametrize(
    ("limits", "count"),
    [
        ({}, 0),
        ({"cpu": "4", "memory": "16Gi"}, 0),
        ({"nvidia.com/gpu": "1"}, 1),
        ({"amd.com/gpu": "2"}, 2),
        ({"nvidia.com/mig-1g.10gb": "1"}, 1),
        ({"nvidia.com/gpu": "0"}, 0),
    ],
)
def test_gpus_of_every_make_are_counted(limits: dict[str, str], count: int) -> None:
    assert gpus(Resources(limits=limits)) == count


def test_a_gpu_in_requests_and_limits_is_one_gpu() -> None:
    assert gpus(Resources(limits={"nvidia.com/gpu": "1"}, requests={"nvidia.com/gpu": "1"})) == 1


def test_a_named_cluster_set_is_bound_to_the_namespace() -> None:
    fl = parse.federated_learning(build.federated_learning(namespace="team", client={"placement": {"clusterSets": ["social"]}}))

    (binding,) = bindings(fl)

    assert (binding["kind"], binding["metadata"]["namespace"]) == ("ManagedClusterSetBinding", "team")
    assert binding["metadata"]["name"] == binding["spec"]["clusterSet"] == "social"


def test_without_cluster_sets_nothing_is_bound() -> None:
    assert bindings(parse.federated_learning(build.federated_learning())) == []
