import pytest

from fedspoke.api.errors import Refused
from fedspoke.api.federated_learning import Object
from fedspoke.placement.as_read import as_read, fields_of

EVERY = fields_of("managedCluster")


def test_what_the_type_always_has_is_there_and_what_is_empty_is_not() -> None:
    written = {
        "metadata": {"name": "c1", "labels": {"a": "b", "e": ""}, "annotations": {}, "unknown": 1},
        "spec": {"unknown": 5, "taints": [{"key": "k", "effect": "NoSelect"}]},
        "status": {"clusterClaims": [{"name": "x", "value": "7"}, {"name": "y", "value": ""}], "capacity": {}},
    }

    assert as_read(written) == {
        "metadata": {"name": "c1", "labels": {"a": "b", "e": ""}},
        "spec": {
            "hubAcceptsClient": False,
            "leaseDurationSeconds": 60,
            "taints": [{"key": "k", "effect": "NoSelect", "timeAdded": None}],
        },
        "status": {"conditions": None, "version": {}, "clusterClaims": [{"name": "x", "value": "7"}, {"name": "y"}]},
    }


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("1000m", "1"),
        ("1500m", "1500m"),
        ("1.5", "1500m"),
        (4, "4"),
        ("0", "0"),
        ("1000", "1k"),
        ("1500000", "1500k"),
        ("0.1n", "1n"),
        ("-5", "-5"),
        ("1024Mi", "1Gi"),
        ("1.5Gi", "1536Mi"),
        ("1000Ki", "1000Ki"),
        ("0.5Ki", "512"),
        ("16Gi", "16Gi"),
        ("1e3", "1e3"),
        ("5E", "5E"),
        ("1e4", "10e3"),
    ],
)
def test_quantities_are_written_as_kubernetes_writes_them(written: str | int, read: str) -> None:
    cluster: Object = {"metadata": {"name": "c1"}, "status": {"capacity": {"cpu": written}}}

    assert as_read(cluster)["status"]["capacity"]["cpu"] == read


@pytest.mark.parametrize(
    ("expression", "fields"),
    [
        ("managedCluster.metadata.labels.region == ''", {"metadata.labels"}),
        (
            "managedCluster.status.clusterClaims.exists(c, managedCluster.spec.taints == [])",
            {"status.clusterClaims", "spec.taints"},
        ),
        ("managedCluster.scores(  ).size() > 0", {"metadata.name"}),
        ("managedCluster.spec.nothing == 1", set()),
        ("managedCluster.metadata.exists(k, true)", EVERY),
        ("managedCluster.status", EVERY),
        ("managedCluster .status.version", EVERY),
        ("managedCluster[      ].name", EVERY),
        ("managedCluster.?status.?version", EVERY),
        ("1 == 1", set()),
    ],
)
def test_an_expression_sees_no_more_fields_than_it_can_name(expression: str, fields: set[str]) -> None:
    assert fields_of(expression) == fields


def test_an_amount_beyond_all_bounds_is_refused_in_a_sentence() -> None:
    with pytest.raises(Refused, match="the amount 1e1000 of a ManagedCluster is too large"):
        as_read({"status": {"allocatable": {"cpu": "1e1000"}}})
