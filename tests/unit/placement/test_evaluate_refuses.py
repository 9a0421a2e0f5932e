from datetime import UTC, datetime

import pytest

from fedspoke.api.errors import Refused
from fedspoke.api.federated_learning import Object
from fedspoke.placement.evaluate import Decision, evaluate
from fedspoke.placement.fleet import Fleet
from support import build

OCM = "cluster.open-cluster-management.io"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def decide(placement: Object, *clusters: Object) -> Decision:
    return evaluate(placement, build.fleet(*clusters), NOW)


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
    assert decide(build.placement(**spec), build.cluster()).decisions
    with pytest.raises(Refused, match=said):
        decide(build.placement(**beyond), build.cluster())


def test_another_kind_is_refused() -> None:
    with pytest.raises(Refused, match="ManagedCluster is not a Placement"):
        decide(build.cluster())


def test_a_placement_without_a_spec_is_refused_as_on_an_api_server() -> None:
    without = {key: value for key, value in build.placement().items() if key != "spec"}
    with pytest.raises(Refused, match=r"spec is missing; \{\} chooses every cluster"):
        evaluate(without, Fleet(), NOW)
