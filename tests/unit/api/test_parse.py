from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedspoke.api import parse
from fedspoke.api.errors import Refused
from fedspoke.api.federated_learning import FederatedLearning, Object
from fedspoke.api.units import format_duration, parse_quantity
from support import build, specs


def refusal(document: Object) -> str:
    with pytest.raises(Refused) as refused:
        parse.federated_learning(document)
    return str(refused.value)


def parsed(**spec: Any) -> FederatedLearning:
    return parse.federated_learning(build.federated_learning(**spec))


def test_a_federation_without_a_spec_has_every_default() -> None:
    fl = parse.federated_learning({k: v for k, v in build.federated_learning().items() if k != "spec"})

    assert (fl.spec.server.rounds, fl.spec.server.round_timeout, fl.spec.framework) == (3, timedelta(minutes=30), "other")


def test_every_field_of_the_contract_is_taken_as_written() -> None:
    document = parse.document(Path(__file__).parent / "golden/every_field.yaml")

    spec = parse.federated_learning(document).spec

    assert spec.model_dump(mode="json", by_alias=True, exclude_unset=True) == document["spec"]


def test_the_namespace_is_default_unless_given() -> None:
    document = build.federated_learning()
    del document["metadata"]["namespace"]

    assert parse.federated_learning(document).namespace == "default"


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        pytest.param({"server": {"rounds": 0}}, "spec.server.rounds is 0, but must be at least 1", id="bound"),
        pytest.param(
            {"server": {"rounds": "3"}}, 'spec.server.rounds is "3", but must be a whole number', id="text for a number"
        ),
        pytest.param({"server": {"rounds": 2.5}}, "spec.server.rounds is 2.5, but must be a whole number", id="fraction"),
        pytest.param({"server": []}, "spec.server is [], but must be an object", id="list for an object"),
        pytest.param({"suspend": "yes"}, 'spec.suspend is "yes", but must be true or false', id="text for a bool"),
        pytest.param({"server": {"listeners": {}}}, "spec.server.listeners is {}, but must be a list", id="object for a list"),
        pytest.param(
            {"framework": "flowr"},
            'spec.framework is "flowr", but must be flower, openfl or other (did you mean flower?)',
            id="typo in a value",
        ),
        pytest.param(
            {"client": {"data": {"platforms": ["facebok"]}}},
            'spec.client.data.platforms[0] is "facebok", but must be facebook or instagram (did you mean facebook?)',
            id="typo in a list",
        ),
        pytest.param({"server": {"round": 3}}, "spec.server.round is not a field (did you mean rounds?)", id="typo in a field"),
        pytest.param(
            {"server": {"min_responses": 3}},
            "spec.server.min_responses is not a field (did you mean minResponses?)",
            id="Python's name of a field",
        ),
        pytest.param(
            {"profiles": {"zzz": 1}}, "spec.profiles.zzz is not a field (known: enabled, encoder, epsilon", id="unknown field"
        ),
        pytest.param({"server": {"round": None}}, "spec.server.round is not a field (did you mean rounds?)", id="typo with null"),
        pytest.param(
            {"client": {"placement": {"predicats": []}}},
            "spec.client.placement.predicats is not a field (did you mean predicates?)",
            id="typo in the placement, which would choose every cluster",
        ),
        pytest.param(
            {"client": {"placement": {"decisionStrategy": {"groupStrategy": {"clustersPerDecisionGroup": "120%"}}}}},
            'clustersPerDecisionGroup is "120%", but must be a number or a percentage like 20%',
            id="percentage",
        ),
        pytest.param(
            {"server": {"roundTimeout": 30}}, "spec.server.roundTimeout is 30, but must be a duration like 30m", id="bare number"
        ),
        pytest.param(
            {"server": {"storage": {"size": "big"}}}, 'spec.server.storage.size is "big", but must be a quantity', id="quantity"
        ),
        pytest.param(
            {"client": {"resources": {"limits": {"cpu": 0.5}}}},
            "spec.client.resources.limits.cpu is 0.5, but must be a quantity",
            id="a fraction, which the API server takes only in quotes",
        ),
        pytest.param(
            {"client": {"resources": {"limits": {"nvidia.com/gpu": "one"}}}},
            'spec.client.resources.limits[nvidia.com/gpu] is "one", but must be a quantity',
            id="key that is no identifier",
        ),
        pytest.param({"server": {"storage": {"s3": {}}}}, "spec.server.storage.s3.bucketName is missing", id="missing"),
        pytest.param(
            {"training": {"learningRate": float("nan")}},
            "spec.training.learningRate is NaN, but must be a finite number",
            id="nan",
        ),
        pytest.param(
            {"training": {"lora": {"dropout": 1}}}, "spec.training.lora.dropout is 1, but must be less than 1", id="LoRA"
        ),
        pytest.param({"training": {"lora": {"rank": 512}}}, "spec.training.lora.rank is 512, but must be at most 256", id="rank"),
    ],
)
def test_a_bad_field_is_named_with_its_value_and_what_would_be_right(spec: Object, said: str) -> None:
    assert said in refusal(build.federated_learning(**spec))


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        pytest.param(
            {"server": {"minAvailableClients": 2, "minResponses": 3}},
            "spec.server.minResponses is 3, but must not be greater than minAvailableClients",
            id="a round that waits for more clusters than the start",
        ),
        pytest.param({"server": {"storage": {"type": "S3Bucket"}}}, "spec.server.storage.s3 must be given", id="no bucket"),
        pytest.param(
            {"server": {"storage": {"type": "HostPath", "path": "models"}}},
            'spec.server.storage.path is "models", but must be an absolute path',
            id="relative path on a node",
        ),
        pytest.param(
            {"server": {"listeners": [{"type": "NodePort"}, {"type": "Ingress", "ip": "10.0.0.1"}]}},
            'spec.server.listeners[1].ip is "10.0.0.1", but belongs to a NodePort',
            id="address of an ingress",
        ),
        pytest.param(
            {"privacy": {"adapters": {"mechanism": "gaussian"}}},
            "spec.privacy.adapters.noiseMultiplier must be 0.000001 or more when mechanism is gaussian",
            id="noise of no strength",
        ),
        pytest.param(
            {"privacy": {"adapters": {"noiseMultiplier": 0.5}}},
            "noiseMultiplier is 0.5, but must be 0.000001 or more when mechanism is gaussian, and 0 when it is none",
            id="noise that would not be added",
        ),
        pytest.param(
            {
                "privacy": {"secureAggregation": True},
                "server": {"minAvailableClients": 3, "aggregation": {"strategy": "fedmedian"}},
            },
            "spec.privacy.secureAggregation is true, but shows the hub only sums",
            id="a strategy that compares updates which nobody sees",
        ),
        pytest.param(
            {"server": {"aggregation": {"strategy": "fedavg", "options": {"malicious": 1}}}},
            "but must be the strategy's own: fedavg: none; fedprox: mu",
            id="an option of another strategy",
        ),
        pytest.param(
            {"server": {"minAvailableClients": 5, "aggregation": {"strategy": "trimmedmean", "options": {"beta": 0.5}}}},
            "but must be in range",
            id="a trimmed mean of nothing",
        ),
        pytest.param(
            {"server": {"minAvailableClients": 2, "aggregation": {"strategy": "fedmedian"}}},
            "needs more clusters a round than minResponses (or minAvailableClients) makes sure of: 3",
            id="a median of two is their mean",
        ),
        pytest.param(
            {"server": {"minAvailableClients": 4, "aggregation": {"strategy": "trimmedmean"}}},
            "makes sure of: 1 / beta, where options.beta is 0.2 if not given",
            id="a trimmed mean that cuts nothing off",
        ),
        pytest.param(
            {"server": {"minAvailableClients": 4, "aggregation": {"strategy": "krum"}}},
            "makes sure of: 2·malicious + 3, where options.malicious is 1 if not given",
            id="too few for Krum",
        ),
        pytest.param(
            {"server": {"minAvailableClients": 5, "aggregation": {"strategy": "multikrum", "options": {"select": 3}}}},
            "2·malicious + 3 and select + malicious + 2, where",
            id="a selection with more than Multi-Krum can vouch for",
        ),
        pytest.param(
            {"server": {"minAvailableClients": 8, "minResponses": 6, "aggregation": {"strategy": "bulyan"}}},
            "4·malicious + 3, where",
            id="too few for Bulyan",
        ),
        pytest.param(
            {"server": {"aggregation": {"strategy": "fedadam", "lora": "svd"}}},
            'spec.server.aggregation.lora is "svd", but can be svd only with the strategies fedavg and fedprox',
            id="an optimiser of numbers that svd makes anew",
        ),
        pytest.param(
            {"training": {"steps": 100, "epochs": 3}},
            "spec.training.steps is 100, but cannot be given beside epochs",
            id="two lengths of a round",
        ),
        pytest.param({"deadline": "0s"}, 'spec.deadline is "0s", but must be longer than 0s', id="no time"),
        pytest.param({"server": {"roundTimeout": "0s"}}, 'spec.server.roundTimeout is "0s", but must be longer', id="no round"),
    ],
)
def test_fields_that_contradict_each_other_are_refused(spec: Object, said: str) -> None:
    assert said in refusal(build.federated_learning(**spec))


@pytest.mark.parametrize(("spec", "field"), specs.CONTRADICTIONS.values(), ids=specs.CONTRADICTIONS)
def test_what_an_api_server_refuses_is_refused_here_by_the_same_name(spec: Object, field: str) -> None:
    assert f"spec.{field} " in refusal(build.federated_learning(**spec))


@pytest.mark.parametrize("spec", specs.ACCEPTED.values(), ids=specs.ACCEPTED)
def test_what_goes_together_is_taken(spec: Object) -> None:
    assert parsed(**spec)


def test_every_problem_is_said_at_once() -> None:
    said = refusal(build.federated_learning("Social", server={"rounds": 0}, training={"epochs": 0}, sepc={}))

    assert [field in said for field in ("metadata.name", "spec.server.rounds", "spec.training.epochs", "spec.sepc")] == [True] * 4


@pytest.mark.parametrize(
    ("name", "namespace", "said"),
    [
        pytest.param("", "default", "metadata.name is missing", id="missing"),
        pytest.param("a.b", "default", 'metadata.name is "a.b", but must be a DNS label', id="dot"),
        pytest.param("social\n", "default", "must be a DNS label", id="line break"),
        pytest.param("social", "Team", 'metadata.namespace is "Team", but must be a DNS label', id="namespace"),
        pytest.param("n" * 53, "default", "must have at most 52: objects add a suffix", id="too long for a Service"),
        pytest.param("n" * 40, "s" * 40, "a label's value has at most 63", id="too long for a label"),
    ],
)
def test_names_that_objects_could_not_bear_are_refused(name: str, namespace: str, said: str) -> None:
    assert said in refusal(build.federated_learning(name, namespace))


def test_another_kind_is_refused_by_its_name() -> None:
    assert refusal(build.cluster()) == (
        "cluster.open-cluster-management.io/v1 ManagedCluster is not a FederatedLearning "
        "of federation-ai.open-cluster-management.io/v1alpha1"
    )


def test_a_misspelled_spec_is_not_an_empty_one() -> None:
    document = build.federated_learning()
    document["sepc"] = document.pop("spec")

    assert "sepc is not a field (did you mean spec?)" in refusal(document)


def test_null_means_the_default_except_where_null_has_a_meaning() -> None:
    fl = parsed(server=None, training={"lora": None}, profiles={"epsilon": None, "delta": None})

    assert fl.spec == parsed(profiles={"epsilon": None}).spec
    assert fl.spec.profiles.epsilon is None


def test_a_status_that_the_hub_wrote_is_no_obstacle() -> None:
    document = build.federated_learning() | {"status": {"phase": "Running", "anything": "else"}}

    assert parse.federated_learning(document).name == "social"


def test_a_placement_keeps_the_fields_of_the_current_ocm() -> None:
    spec = {"sortBy": "Score", "predicates": [{"requiredClusterSelector": {"celSelector": {"celExpressions": ["true"]}}}]}

    assert parsed(client={"placement": spec}).spec.client.placement.model_dump(by_alias=True, exclude_unset=True) == spec


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


HEAD = "apiVersion: federation-ai.open-cluster-management.io/v1alpha1\nkind: FederatedLearning\nmetadata: {name: social}\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("", "holds no objects; give a file with exactly one", id="empty"),
        pytest.param(f"{HEAD}---\n{HEAD}", "holds 2 objects; give a file with exactly one", id="several"),
        pytest.param("a: [1", "is not YAML in line", id="no YAML"),
        pytest.param("just text", "is no Kubernetes object: it needs apiVersion and kind", id="no object"),
        pytest.param(
            f"{HEAD}spec:\n  suspend: true\n  suspend: false\n", "is not YAML in line 5: suspend is given twice", id="twice"
        ),
    ],
)
def test_a_file_that_holds_no_single_object_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = write(tmp_path / "fl.yaml", text)

    with pytest.raises(Refused) as refused:
        parse.read(path)

    assert str(refused.value).startswith(str(path))
    assert said in str(refused.value)


def test_a_missing_file_a_folder_and_a_binary_are_refused(tmp_path: Path) -> None:
    (tmp_path / "image.yaml").write_bytes(b"\xff\xd8\xff")

    for path, said in (("none.yaml", "does not exist"), (".", "is a folder"), ("image.yaml", "is no UTF-8 text")):
        with pytest.raises(Refused, match=said):
            parse.read(tmp_path / path)


def test_numbers_are_read_as_kubectl_reads_them(tmp_path: Path) -> None:
    path = write(tmp_path / "fl.yaml", f"{HEAD}spec:\n  training: {{learningRate: 2e-4}}\n  server: {{image: 2026-11-21}}\n")

    spec = parse.read(path).spec

    assert (spec.training.learning_rate, spec.server.image) == (2e-4, "2026-11-21")


@given(st.integers(0, 10**7))
def test_a_duration_survives_being_written_and_read(seconds: int) -> None:
    text = format_duration(timedelta(seconds=seconds))

    assert parsed(client={"hubLostGrace": text}).spec.client.hub_lost_grace == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", "1"),
        (2, "2"),
        ("500m", "0.5"),
        ("50Gi", "53687091200"),
        ("1Ki", "1024"),
        ("1e3", "1000"),
        ("2k", "2000"),
        (".5", "0.5"),
        ("1E", "1e18"),
    ],
)
def test_quantities_mean_what_kubernetes_means(text: str | int, value: str) -> None:
    assert parse_quantity(text) == Decimal(value)


@pytest.mark.parametrize("text", ["", "big", "1 Gi", "1gi", "Gi", "1\n", "--1"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no quantity"):
        parse_quantity(text)


@pytest.mark.parametrize("name", ["llava-hf/llava-1.5-7b-hf", "/model/llava-1.5-7b", "s3://models/llava-1.5-7b-hf"])
def test_a_model_is_a_name_on_a_hub_a_path_or_a_folder_in_s3(name: str) -> None:
    assert parsed(training={"model": {"name": name}}).spec.training.model.name == name
