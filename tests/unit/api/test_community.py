"""The community's FederatedLearnings are accepted and mean what they meant.

What is said of its CRD here was read from open-cluster-management-io/addon-contrib, federated-learning-controller, at f5844b9.
"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedspoke.api import parse
from fedspoke.api.crd import crd
from fedspoke.api.errors import Refused
from fedspoke.api.federated_learning import Object
from support import build


def with_data(key: str) -> Object:
    return {
        "clusterSets": ["global"],
        "predicates": [{"requiredClusterSelector": build.with_claim(build.has(key))}],
    }


FLOWER = {
    "framework": "flower",
    "server": {"image": "example.org/app:cifar10", "minAvailableClients": 2},
    "client": {
        "image": "example.org/app:cifar10",
        "placement": {
            "clusterSets": ["global"],
            "predicates": [
                {
                    "requiredClusterSelector": {
                        "labelSelector": {"matchLabels": {"feature.open-cluster-management.io/addon-flower-addon": "available"}}
                    }
                }
            ],
        },
    },
}
OPENFL = {
    "framework": "openfl",
    "server": {
        "image": "example.org/app:openfl",
        "rounds": 3,
        "minAvailableClients": 2,
        "listeners": [{"name": "server-listener", "port": 31531, "type": "NodePort"}],
        "storage": {"type": "PersistentVolumeClaim", "name": "model-pvc", "path": "/workspace/models", "size": "2Gi"},
    },
    "client": {"image": "example.org/app:openfl", "placement": with_data("federated-learning-sample.client-data")},
}
BUCKET = {
    "framework": "flower",
    "server": {
        "image": "example.org/app:mnist",
        "rounds": 3,
        "minAvailableClients": 2,
        "listeners": [{"name": "server-listener", "port": 8080, "type": "LoadBalancer"}],
        "storage": {
            "type": "S3Bucket",
            "name": "s3-pvc",
            "path": "/data/models",
            "size": "2Gi",
            "s3": {"bucketName": "models", "region": "us-east-1", "prefix": "models/round-1/"},
        },
    },
    "client": {"image": "example.org/app:mnist", "placement": with_data("federated-learning-sample.client-data")},
}


@pytest.mark.parametrize("spec", [FLOWER, OPENFL, BUCKET], ids=["flower", "openfl", "s3"])
def test_the_samples_are_accepted_with_every_value_as_written(spec: Object) -> None:
    document = build.federated_learning("federated-learning-sample", **spec)
    document["metadata"]["annotations"] = {"federated-learning.io/sidecar-image": "example.org/sidecar:1"}

    assert parse.federated_learning(document).spec.model_dump(mode="json", by_alias=True, exclude_unset=True) == spec


def test_what_is_left_out_means_what_it_meant() -> None:
    fl = parse.federated_learning(build.federated_learning(framework=None, server={"listeners": [{}]}))

    assert fl.spec.framework == "other"
    assert fl.spec.server.superlink == "superlink.flower-system:9091"
    assert fl.spec.client.supernode == "flower-supernode.flower-addon:9094"
    assert fl.spec.server.listeners[0].port == 8080


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries({}, optional=fields)


WORDS = st.text(max_size=8)
COMMUNITY = some(
    framework=st.sampled_from(["flower", "openfl", "other"]),
    server=some(
        image=WORDS,
        rounds=st.integers(1, 10**6),
        minAvailableClients=st.integers(1, 10**6),
        superlink=WORDS,
        listeners=st.lists(
            some(name=WORDS, type=st.sampled_from(["NodePort", "LoadBalancer", "Route"]), port=st.integers(1, 65535), ip=WORDS),
            max_size=2,
        ),
        storage=some(
            type=st.just("PersistentVolumeClaim"),
            name=WORDS,
            path=WORDS.filter(lambda path: ".." not in path.split("/")),  # whoever writes that has no good reason
            size=st.sampled_from(["2Gi", "500M", "1e9"]),
            s3=st.fixed_dictionaries({"bucketName": st.just("models")}, optional={"region": WORDS, "prefix": WORDS}),
        ),
    ),
    client=some(
        image=WORDS, supernode=WORDS, placement=some(clusterSets=st.lists(WORDS, max_size=2), numberOfClusters=st.integers(0, 9))
    ),
)


@given(COMMUNITY)
def test_whatever_its_controller_can_run_is_accepted_with_every_value_as_written(spec: Object) -> None:
    parsed = parse.federated_learning(build.federated_learning() | {"spec": spec}).spec

    assert parsed.model_dump(mode="json", by_alias=True, exclude_unset=True) == spec


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"framework": "flowr"}, id="a framework without a name of its own ran as openfl"),
        pytest.param({"server": {"rounds": 0}}, id="no round"),
        pytest.param({"server": {"storage": {"type": "Tape"}}}, id="unsupported storage type"),
        pytest.param({"server": {"storage": {"type": "S3Bucket"}}}, id="S3 configuration must be provided"),
        pytest.param({"server": {"storage": {"size": "big"}}}, id="size that cannot be parsed"),
        pytest.param({"server": {"listeners": [{"type": "Pigeon"}]}}, id="unsupported listener type"),
        pytest.param({"server": {"listeners": [{"port": 0}]}}, id="port that no Service takes"),
    ],
)
def test_only_what_its_controller_failed_at_later_is_refused_at_once(spec: Object) -> None:
    with pytest.raises(Refused):
        parse.federated_learning(build.federated_learning(**spec))


def test_the_crd_answers_to_the_same_group_kind_and_short_name() -> None:
    definition = crd()
    (version,) = definition["spec"]["versions"]

    assert definition["metadata"]["name"] == "federatedlearnings.federation-ai.open-cluster-management.io"
    assert (definition["spec"]["scope"], version["name"]) == ("Namespaced", "v1alpha1")
    assert definition["spec"]["names"]["shortNames"] == ["fl"]
