import json
from collections.abc import Callable
from pathlib import Path

import pytest

from fedspoke.api import documents
from support import build

Fedspoke = Callable[..., tuple[object, str, str]]
"""A command's exit status, stdout and stderr."""


@pytest.fixture
def clusters(tmp_path: Path) -> Path:
    folder = tmp_path / "clusters"
    folder.mkdir()
    both = build.cluster("berlin", claims=build.declares("facebook")), build.cluster("oslo")
    (folder / "all.yaml").write_text(documents.dump(*both))
    return folder


@pytest.fixture
def federation(tmp_path: Path) -> Path:
    path = tmp_path / "federatedlearning.yaml"
    path.write_text(documents.dump(build.federated_learning(client={"data": {"platforms": ["facebook"]}})))
    return path


def test_json_is_what_a_placement_decision_holds_and_the_reasons(fedspoke: Fedspoke, federation: Path, clusters: Path) -> None:
    status, out, err = fedspoke("place", federation, "--clusters", clusters, "-o", "json")

    decision = json.loads(out)
    assert (status, err) == (0, "")
    assert decision["decisions"] == [{"clusterName": "berlin", "score": 100}]
    (rejected,) = decision["rejected"]
    assert rejected.keys() == {"clusterName", "reason"}
    assert rejected["clusterName"] == "oslo"
    assert rejected["reason"].startswith("declares no Facebook data (no claim facebook.data.")


def test_the_table_names_each_cluster_and_why_it_was_not_chosen(fedspoke: Fedspoke, federation: Path, clusters: Path) -> None:
    status, out, _ = fedspoke("place", federation, "--clusters", clusters)

    header, berlin, _, others, oslo, *_ = out.splitlines()
    assert status == 0
    assert (header.split(), others.split()) == (["CHOSEN", "SCORE", "MADE", "OF"], ["NOT", "CHOSEN", "WHY", "NOT"])
    assert berlin.split() == ["berlin", "100", "Balance", "100×1,", "Steady", "0×1"]
    assert oslo.startswith("oslo        declares no Facebook data (no claim facebook.data.")


@pytest.mark.parametrize("looks_like_markup", ["[/]", "[team]", "[link=https://example.org]", "[bold red]"])
def test_brackets_in_names_and_reasons_are_shown_as_they_are(fedspoke: Fedspoke, tmp_path: Path, looks_like_markup: str) -> None:
    (tmp_path / "clusters").mkdir()
    (tmp_path / "clusters/all.yaml").write_text(documents.dump(build.cluster(f"a{looks_like_markup}")))
    expression = f"managedCluster.metadata.name == '{looks_like_markup}'"
    path = tmp_path / "placement.yaml"
    path.write_text(documents.dump(build.placement({"celSelector": {"celExpressions": [expression]}})))

    status, out, err = fedspoke("place", path, "--clusters", tmp_path / "clusters")

    assert status == 1
    assert out.splitlines()[1].split("  ")[0] == f"a{looks_like_markup}"
    assert f"`{expression}` is false" in out
    assert f"a{looks_like_markup} `{expression}` is false" in err


def test_where_stdout_is_no_terminal_no_line_is_broken(
    fedspoke: Fedspoke, federation: Path, clusters: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "20")

    _, out, _ = fedspoke("place", federation, "--clusters", clusters)

    assert len(out.splitlines()) == 2 + 1 + 2 + 1 + 3 + 1


def test_the_table_says_the_conditions_and_what_changes_nothing(fedspoke: Fedspoke, tmp_path: Path, clusters: Path) -> None:
    path = tmp_path / "placement.yaml"
    spread = {"spreadConstraints": [{"topologyKey": "region", "topologyKeyType": "Label"}]}
    path.write_text(documents.dump(build.placement(spreadPolicy=spread, numberOfClusters=3)))

    status, out, _ = fedspoke("place", path, "--clusters", clusters)

    assert status == 0
    assert "PlacementSatisfied      False   NotAllDecisionsScheduled  1 cluster decisions unscheduled" in out
    assert "PlacementMisconfigured  False   Succeedconfigured" in out
    assert "Note: spreadPolicy changes nothing: OCM's scheduler does not evaluate it." in out


def test_the_table_names_the_groups_where_there_are_several(fedspoke: Fedspoke, tmp_path: Path, clusters: Path) -> None:
    path = tmp_path / "placement.yaml"
    path.write_text(documents.dump(build.placement(decisionStrategy={"groupStrategy": {"clustersPerDecisionGroup": 1}})))

    _, out, _ = fedspoke("place", path, "--clusters", clusters)

    header, berlin, oslo, *_ = out.splitlines()
    assert (header.split()[1], berlin.split()[1], oslo.split()[1]) == ("GROUP", "0", "1")


def test_a_misconfigured_placement_fails_with_ocms_message(fedspoke: Fedspoke, tmp_path: Path, clusters: Path) -> None:
    path = tmp_path / "placement.yaml"
    path.write_text(documents.dump(build.placement(prioritizerPolicy={"configurations": [build.prioritizer("Spread")]})))

    status, out, err = fedspoke("place", path, "--clusters", clusters, "-o", "json")

    assert status == 1
    assert json.loads(out)["decisions"] == []
    assert err == (
        "fedspoke: the Placement is misconfigured: incorrect builtin prioritizer: Spread; "
        "OCM has Balance, Steady, ResourceAllocatableCPU, ResourceAllocatableMemory\n"
    )


def test_a_placement_is_decided_as_a_federation_is(fedspoke: Fedspoke, tmp_path: Path, clusters: Path) -> None:
    path = tmp_path / "placement.yaml"
    path.write_text(documents.dump(build.placement(build.with_label(build.has("gpu", "DoesNotExist")))))

    status, out, _ = fedspoke("place", path, "--clusters", clusters, "-o", "json")

    assert status == 0
    assert [chosen["clusterName"] for chosen in json.loads(out)["decisions"]] == ["berlin", "oslo"]


def test_when_no_cluster_qualifies_it_fails_and_says_why(fedspoke: Fedspoke, tmp_path: Path, clusters: Path) -> None:
    path = tmp_path / "federatedlearning.yaml"
    path.write_text(documents.dump(build.federated_learning(client={"resources": {"limits": {"nvidia.com/gpu": 1}}})))

    status, out, err = fedspoke("place", path, "--clusters", clusters, "-o", "json")

    assert status == 1
    assert json.loads(out)["decisions"] == []
    assert err.startswith("fedspoke: no cluster is chosen: berlin declares no GPU (")
    assert err.count("\n") == 1


def test_a_cluster_that_qualifies_is_not_said_to_lack_anything(fedspoke: Fedspoke, tmp_path: Path, clusters: Path) -> None:
    path = tmp_path / "placement.yaml"
    path.write_text(documents.dump(build.placement(numberOfClusters=0)))

    _, _, err = fedspoke("place", path, "--clusters", clusters)

    why = "qualifies, but numberOfClusters is 0"
    assert err == f"fedspoke: no cluster is chosen: berlin {why}; oslo {why}\n"


@pytest.mark.parametrize(
    ("cr", "said"),
    [
        pytest.param(None, "does not exist; name a YAML file", id="missing"),
        pytest.param(build.cluster(), "holds a ManagedCluster; give a FederatedLearning or a Placement", id="another kind"),
        pytest.param(build.federated_learning(server={"rounds": 0}), "spec.server.rounds is 0, but must be at least 1", id="bad"),
        pytest.param(build.placement() | {"metadata": ["x"]}, 'metadata is ["x"], but must be an object', id="metadata"),
        pytest.param(build.placement(clusterSets=5), "spec.clusterSets is 5, but must be a list", id="sets"),
        pytest.param(
            build.placement(numberOfClusters=-1), "numberOfClusters of a PlacementSpec is -1, but must be from 0", id="beyond"
        ),
    ],
)
def test_input_that_cannot_be_used_is_refused_in_one_line(
    fedspoke: Fedspoke, tmp_path: Path, clusters: Path, cr: dict[str, object] | None, said: str
) -> None:
    path = tmp_path / "cr.yaml"
    if cr:
        path.write_text(documents.dump(cr))

    status, out, err = fedspoke("place", path, "--clusters", clusters)

    assert (status, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


def test_what_looks_like_a_typo_in_a_cluster_is_told_and_stops_nothing(
    fedspoke: Fedspoke, federation: Path, clusters: Path
) -> None:
    typo = build.cluster("rome", claims=build.declares("facebook"), hubAcceptClient=False, ofAFutureHub=1)
    (clusters / "rome.yaml").write_text(documents.dump(typo))

    status, _, err = fedspoke("place", federation, "--clusters", clusters)

    assert status == 0
    assert err == (
        f"fedspoke: {clusters / 'rome.yaml'}: spec.hubAcceptClient of ManagedCluster rome is passed over, "
        "as it is not a field (did you mean hubAcceptsClient?)\n"
    )


def test_a_folder_of_clusters_that_is_not_there_is_refused(fedspoke: Fedspoke, federation: Path, tmp_path: Path) -> None:
    status, _, err = fedspoke("place", federation, "--clusters", tmp_path / "none")

    assert status == 2
    assert "is no folder; name one that holds ManagedClusters" in err
