from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from fedspoke.api import documents, parse
from fedspoke.api.errors import Refused
from fedspoke.api.federated_learning import FederatedLearning, Object
from fedspoke.api.names import DOMAIN
from fedspoke.local.clusters import Clusters, read
from fedspoke.placement.evaluate import evaluate
from fedspoke.placement.fleet import Fleet
from support import build

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
LATER = "2026-11-21T13:00:00Z"
FEDERATION: FederatedLearning = parse.federated_learning(build.federated_learning(client={"data": {}}))


def write(path: Path, *objects: Object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(documents.dump(*objects), encoding="utf-8")
    return path.parent


def test_clusters_are_read_from_every_file_and_every_document_in_it(tmp_path: Path) -> None:
    write(tmp_path / "two.yaml", build.cluster("b"), build.cluster("c"))
    write(tmp_path / "one.yml", build.cluster("a"))
    (tmp_path / "README.md").write_text("not YAML: [")

    known = read(tmp_path)

    assert {cluster["metadata"]["name"] for cluster in known.described.clusters} == {"a", "b", "c"}
    assert known.files["c"] == tmp_path / "two.yaml"


def test_all_that_a_placement_depends_on_is_read_and_the_rest_is_passed_over(tmp_path: Path) -> None:
    described = (
        build.cluster(),
        build.cluster_set("eu"),
        build.binding("eu"),
        build.scores("cluster1", until=LATER),
        build.decided("other"),
    )
    config: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "notes"}}

    known = read(write(tmp_path / "all.yaml", *described, config))

    cluster, cluster_set, binding, scores, decided = ((it,) for it in described)
    assert known.described == Fleet(cluster, cluster_set, binding, scores, decided)


def chosen(known: Clusters, **spec: Any) -> list[str]:
    decision = evaluate(build.placement(**spec), known.fleet(build.placement(**spec)), NOW)
    return [name for name, _ in decision.decisions]


def test_without_sets_and_bindings_every_cluster_is_in_every_set(tmp_path: Path) -> None:
    known = read(write(tmp_path / "all.yaml", build.cluster("a"), build.cluster("b")))

    assert chosen(known) == chosen(known, clusterSets=["eu", "us"]) == ["a", "b"]


def test_with_a_set_or_a_binding_only_what_is_bound_counts(tmp_path: Path) -> None:
    clusters = build.cluster("a", labels={"region": "eu"}), build.cluster("b")
    eu = build.cluster_set("eu", matchLabels={"region": "eu"})

    assert chosen(read(write(tmp_path / "1/all.yaml", *clusters, eu))) == []
    assert chosen(read(write(tmp_path / "2/all.yaml", *clusters, eu, build.binding("eu")))) == ["a"]
    assert chosen(read(write(tmp_path / "3/all.yaml", *clusters, eu, build.binding("eu", "elsewhere")))) == []


def test_the_sets_of_every_hub_are_there_as_soon_as_one_is_described_or_bound(tmp_path: Path) -> None:
    in_another = {"cluster.open-cluster-management.io/clusterset": "team"}
    clusters = build.cluster("a"), build.cluster("b", labels=in_another)
    ours = build.cluster_set("global", matchLabels={"region": "eu"})

    assert chosen(read(write(tmp_path / "1/all.yaml", *clusters, build.binding("global")))) == ["a", "b"]
    assert chosen(read(write(tmp_path / "2/all.yaml", *clusters, build.binding("default")))) == ["a"]
    assert chosen(read(write(tmp_path / "3/all.yaml", *clusters, build.binding("global"), ours))) == []


def test_clusters_may_be_in_the_list_that_kubectl_writes(tmp_path: Path) -> None:
    a_list = {"apiVersion": "v1", "kind": "List", "items": [build.cluster("a"), build.cluster("b")]}

    assert chosen(read(write(tmp_path / "all.yaml", a_list))) == ["a", "b"]


def test_a_federation_binds_the_sets_that_it_names(tmp_path: Path) -> None:
    eu = build.cluster_set("eu", matchLabels={"region": "eu"})
    known = read(write(tmp_path / "all.yaml", build.cluster("a", labels={"region": "eu"}), build.cluster("b"), eu))
    federation = parse.federated_learning(build.federated_learning(client={"placement": {"clusterSets": ["eu"]}}))

    assert [name for name, _ in known.decision(federation, NOW).decisions] == ["a"]


def test_a_cluster_that_the_hub_does_not_accept_is_one_that_it_cannot_reach(tmp_path: Path) -> None:
    known = read(write(tmp_path / "all.yaml", build.cluster("a", hubAcceptsClient=False), build.cluster("b")))

    decision = evaluate(build.placement(), known.fleet(build.placement()), NOW)

    assert decision.rejected == (("a", "has the taint cluster.open-cluster-management.io/unreachable (NoSelect)"),)


def test_a_dataset_lies_where_the_claim_says_relative_to_the_clusters_file(tmp_path: Path) -> None:
    (tmp_path / "exports/facebook").mkdir(parents=True)
    folder = write(
        tmp_path / "clusters/a.yaml", build.cluster("a", claims=build.declares("facebook", path="../exports/facebook"))
    )

    known = read(folder)

    assert known.declared("a", FEDERATION) == {"facebook": "../exports/facebook"}
    assert known.datasets("a", FEDERATION) == {"facebook": tmp_path / "exports/facebook"}


def test_a_dataset_that_is_not_there_is_refused_with_its_place_and_its_claim(tmp_path: Path) -> None:
    folder = write(tmp_path / "clusters/a.yaml", build.cluster("a", claims=build.declares("instagram", path="../none")))

    with pytest.raises(Refused) as refused:
        read(folder).datasets("a", FEDERATION)

    assert f"the instagram dataset of cluster a is not at {tmp_path / 'none'}" in str(refused.value)
    assert "a.yaml must hold the path of a folder" in str(refused.value)


def test_a_dataset_that_a_label_alone_declares_has_no_place(tmp_path: Path) -> None:
    folder = write(tmp_path / "a.yaml", build.cluster("a", labels=build.labelled("facebook")))

    with pytest.raises(Refused, match=f"by a label, which names no path: add the claim facebook.data.{DOMAIN}"):
        read(folder).declared("a", FEDERATION)


@pytest.mark.parametrize(
    ("objects", "said"),
    [
        pytest.param([], "holds no ManagedCluster; put one into a .yaml file there", id="empty"),
        pytest.param(
            [build.placement(), build.cluster_set()],
            "holds no ManagedCluster, only ManagedClusterSet and Placement; put one into",
            id="only other kinds",
        ),
        pytest.param([build.cluster("a"), build.cluster("a")], "cluster a is described twice, in", id="twice"),
        pytest.param([build.cluster("")], "ManagedCluster without a name cannot be used: metadata.name is", id="without a name"),
        pytest.param(
            [build.cluster() | {"apiVersion": "v1"}],
            "v1 ManagedCluster is not a ManagedCluster of cluster.open-cluster-management.io/v1: write apiVersion: "
            "cluster.open-cluster-management.io/v1",
            id="version",
        ),
        pytest.param([{"kind": "ManagedCluster"}], "is no Kubernetes object: it needs apiVersion and kind", id="no apiVersion"),
        pytest.param(
            [build.cluster("a", labels={"gpu": True})],  # type: ignore[dict-item]  # as YAML has it without quotes
            "metadata.labels.gpu is true, but must be text",
            id="label without quotes",
        ),
        pytest.param(
            [build.cluster("a", claims={"gpus": 1})],  # type: ignore[dict-item]  # as YAML has it without quotes
            "status.clusterClaims[0].value is 1, but must be text",
            id="claim without quotes",
        ),
        pytest.param(
            [build.cluster("a") | {"status": {"clusterClaims": [{"name": "x"}]}}],
            "clusterClaims[0].value is missing",
            id="half",
        ),
        pytest.param(
            [build.cluster("a") | {"status": {"allocatable": {"cpu": "four"}}}],
            'status.allocatable.cpu is "four", but must be a quantity',
            id="no quantity",
        ),
        pytest.param(
            [build.cluster("a") | {"status": {"allocatable": {"cpu": "1e1000"}}}],
            'status.allocatable.cpu is "1e1000", but must be less than 1e+90',
            id="more than a float holds",
        ),
        pytest.param(
            [build.cluster("a") | {"status": {"capacity": {"cpu": "1e99999999999999999999"}}}],
            "but must be less than 1e+90",
            id="more than a Decimal holds",
        ),
        pytest.param(
            [build.cluster(), build.cluster_set() | {"apiVersion": "v1"}],
            "v1 ManagedClusterSet is not a ManagedClusterSet of",
            id="version of a set",
        ),
        pytest.param(
            [build.cluster(), build.cluster_set() | {"spec": {"clusterSelector": {"selectorType": "Label"}}}],
            'ManagedClusterSet global cannot be used: spec.clusterSelector.selectorType is "Label", but must be',
            id="selector type",
        ),
        pytest.param(
            [build.cluster(), build.binding("eu") | {"spec": {"clusterSet": "us"}}],
            "ManagedClusterSetBinding eu binds the set us, but must bear the name of the set that it binds",
            id="binding of another name",
        ),
        pytest.param(
            [build.cluster(), build.scores("cluster1", gpusFree=101)],
            "status.scores[0].value is 101, but must be at most 100",
            id="score too high",
        ),
        pytest.param(
            [build.cluster(), build.scores("cluster1", until="soon")],
            'AddOnPlacementScore federated-learning cannot be used: status.validUntil is "soon", but must be a time',
            id="no time",
        ),
        pytest.param(
            [build.cluster(), build.scores("cluster1", until="2026-11-21T12:00:00")],
            'status.validUntil is "2026-11-21T12:00:00", but must be a time with its zone like',
            id="time without zone",
        ),
        pytest.param(
            [build.cluster(taints=[{"key": "a", "effect": "NoSelect", "timeAdded": "9999-12-31T23:59:59-01:00"}])],
            'spec.taints[0].timeAdded is "9999-12-31T23:59:59-01:00", but must be a time',
            id="time that is in no year of UTC",
        ),
        pytest.param(
            [build.cluster(), build.decided("other") | {"status": {"decisions": [{"name": "a"}]}}],
            "PlacementDecision other-decision-1 cannot be used: status.decisions[0].clusterName is missing",
            id="decision without cluster",
        ),
        pytest.param(
            [build.cluster(), build.scores("cluster1"), build.scores("cluster1")],
            "AddOnPlacementScore federated-learning is described twice, in",
            id="score twice",
        ),
    ],
)
def test_a_folder_that_describes_no_fleet_is_refused(tmp_path: Path, objects: list[Object], said: str) -> None:
    with pytest.raises(Refused) as refused:
        read(write(tmp_path / "clusters.yaml", *objects))

    assert said in str(refused.value)


@pytest.mark.parametrize("part", ["metadata", "spec", "status"])
@pytest.mark.parametrize("value", [[], "text", 1])
def test_a_part_of_a_cluster_that_is_no_object_is_refused(tmp_path: Path, part: str, value: Any) -> None:
    with pytest.raises(Refused):
        read(write(tmp_path / "a.yaml", build.cluster("a") | {part: value}))


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="is no folder; name one that holds ManagedClusters"):
        read(tmp_path / "none")
