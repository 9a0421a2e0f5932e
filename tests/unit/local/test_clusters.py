from pathlib import Path
from typing import Any

import pytest

from fedspoke.api import documents, parse
from fedspoke.api.errors import Refused
from fedspoke.api.federated_learning import FederatedLearning, Object
from fedspoke.api.names import DOMAIN
from fedspoke.local.clusters import read
from support import build

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

    assert {cluster["metadata"]["name"] for cluster in known.clusters} == {"a", "b", "c"}
    assert known.files["c"] == tmp_path / "two.yaml"


def test_documents_of_other_kinds_are_kept_aside(tmp_path: Path) -> None:
    score: Object = {"apiVersion": "cluster.open-cluster-management.io/v1alpha1", "kind": "AddOnPlacementScore", "metadata": {}}

    known = read(write(tmp_path / "all.yaml", score, build.cluster()))

    assert known.others == (score,)


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
        pytest.param([build.placement()], "holds no ManagedCluster", id="only other kinds"),
        pytest.param([build.cluster("a"), build.cluster("a")], "cluster a is described twice, in", id="twice"),
        pytest.param([build.cluster("")], "ManagedCluster without a name cannot be used: metadata.name is", id="without a name"),
        pytest.param(
            [build.cluster() | {"apiVersion": "v1"}],
            "v1 ManagedCluster is not a ManagedCluster of",
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
            [build.cluster(), {"apiVersion": "cluster.open-cluster-management.io/v1beta2", "kind": "ManagedClusterSet"}],
            "holds a ManagedClusterSet, which is not evaluated here yet",
            id="cluster set",
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
