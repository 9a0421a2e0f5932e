"""The CRD's structure, checked against the rules that an API server applies; a real one is asked in tests/e2e."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from fedspoke.api import documents, parse
from fedspoke.api.base import Api
from fedspoke.api.crd import crd
from fedspoke.api.errors import Refused
from fedspoke.api.federated_learning import FederatedLearningStatus, Object
from support import build

COMMITTED = Path(__file__).parents[3] / "hub/deploy/crd.yaml"
SCHEMA = crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
SPEC = SCHEMA["properties"]["spec"]

# JSONSchemaProps as far as it is used here; of the rest, structural schemas forbid much.
KEYWORDS = {
    "additionalProperties", "default", "description", "enum", "exclusiveMaximum", "exclusiveMinimum", "format", "items",
    "maxItems", "maxLength", "maxProperties", "maximum",
    "minItems", "minLength", "minimum", "nullable", "pattern", "properties", "required",
    "type", "x-kubernetes-int-or-string", "x-kubernetes-list-map-keys", "x-kubernetes-list-type", "x-kubernetes-validations",
}  # fmt: skip


def nodes(node: Object, path: str = "") -> Iterator[tuple[str, Object]]:
    yield path, node
    for name, inner in node.get("properties", {}).items():
        yield from nodes(inner, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if key in node:
            yield from nodes(node[key], f"{path}[]")


NODES = dict(nodes(SCHEMA))


def test_the_committed_crd_is_the_generated_one() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == documents.dump(crd()), "run: fedspoke crd > hub/deploy/crd.yaml"


def test_yaml_of_the_crd_reads_back_as_the_crd() -> None:
    assert yaml.safe_load(documents.dump(crd())) == crd()


def test_every_node_has_one_type_and_only_keywords_that_kubernetes_knows() -> None:
    wrong = {
        path: node
        for path, node in NODES.items()
        if node.keys() - KEYWORDS or ("type" in node) == node.get("x-kubernetes-int-or-string", False)
    }

    assert not wrong


def test_no_node_has_properties_and_additional_properties_or_requires_what_it_has_not() -> None:
    wrong = [
        path
        for path, node in NODES.items()
        if {"properties", "additionalProperties"} <= node.keys()
        or set(node.get("required", [])) - set(node.get("properties", {}))
    ]

    assert not wrong


def test_every_field_says_what_it_is() -> None:
    silent = [path for path, node in NODES.items() if not path.endswith("[]") and not node.get("description")]

    assert silent == [".metadata"]  # the API server describes it, and takes no other word on it


def test_a_list_map_is_keyed_by_a_required_field() -> None:
    maps = {path: node for path, node in NODES.items() if node.get("x-kubernetes-list-type") == "map"}

    assert maps.keys() == {".status.conditions", ".status.clusters"}
    assert all(set(node["x-kubernetes-list-map-keys"]) <= set(node["items"]["required"]) for node in maps.values())


def test_durations_have_defaults_as_go_writes_them() -> None:
    server = SPEC["properties"]["server"]["properties"]

    assert (server["roundTimeout"]["default"], SPEC["properties"]["deadline"]["default"]) == ("30m", "24h")


def test_null_has_a_meaning_for_epsilon_alone() -> None:
    assert [path for path, node in NODES.items() if node.get("nullable")] == [".spec.profiles.epsilon"]


@pytest.mark.parametrize("path", [path for path, node in NODES.items() if node.get("x-kubernetes-validations")])
def test_rules_speak_of_fields_that_are_there_and_say_so(path: str) -> None:
    node = NODES[path]
    for rule in node["x-kubernetes-validations"]:
        assert rule["message"]
        if path:  # metadata's fields are known to the API server alone
            used = set(re.findall(r"self((?:\.[a-z]\w+)+)(?!\w|\()", re.sub(r"'[^']*'", "", rule["rule"])))
            assert used
            assert {path + field for field in used | {rule["fieldPath"]}} <= NODES.keys()
        optional = set(re.findall(r"has\(self\.(\w+)\)", rule["rule"]))
        bare = set(re.findall(r"self\.(\w+)", rule["rule"])) - optional - {"metadata"}
        assert all("default" in node["properties"][field] for field in bare), "CEL fails on a field that is not there"


def models(kind: type[Api]) -> Iterator[type[Api]]:
    for model in kind.__subclasses__():
        yield model
        yield from models(model)


def test_every_rule_of_the_models_is_in_the_crd() -> None:
    said = [rule["rule"] for node in NODES.values() for rule in node.get("x-kubernetes-validations", [])]

    assert {rule.cel for model in models(Api) for rule in model.rules} <= set(said)


def test_kubectl_shows_phase_round_clusters_loss_and_age() -> None:
    columns = {column["name"]: column["jsonPath"] for column in crd()["spec"]["versions"][0]["additionalPrinterColumns"]}

    assert list(columns) == ["Phase", "Round", "Clusters", "Loss", "Age"]
    assert {path for path in columns.values() if path.startswith(".status")} <= NODES.keys()


def test_the_columns_read_as_two_of_three() -> None:
    status = FederatedLearningStatus.model_validate(
        {
            "rounds": {"completed": 2, "total": 3},
            "clusters": [{"name": "a", "phase": "Training"}, {"name": "b", "phase": "Failed"}],
            "metrics": [{"round": 2, "loss": 1.23456, "clusters": 2, "seconds": 9, "bytesIn": 1, "bytesOut": 1}],
        }
    )

    written = status.model_dump(mode="json", by_alias=True)

    assert written["summary"] == {"rounds": "2/3", "clusters": "1/2", "loss": "1.235"}
    assert FederatedLearningStatus.model_validate(written) == status


def defaulted(value: Any, node: Object) -> Any:
    """A value as an API server stores it: nulls that have no meaning dropped, defaults filled in."""
    if isinstance(value, dict):
        known = node.get("properties", {})
        inner = {
            name: defaulted(found, known.get(name) or node.get("additionalProperties", {}))
            for name, found in value.items()
            if found is not None or known.get(name, {}).get("nullable")
        }
        missing = {name: prop["default"] for name, prop in known.items() if "default" in prop and name not in inner}
        return inner | {name: defaulted(default, known[name]) for name, default in missing.items()}
    return [defaulted(item, node.get("items", {})) for item in value] if isinstance(value, list) else value


def json_schema(node: Object) -> Object:
    """The structural schema as plain JSON Schema, strict about unknown fields as kubectl is."""
    found = {key: value for key, value in node.items() if not key.startswith("x-") and key not in ("nullable", "default")}
    for bound in ("Minimum", "Maximum"):
        if found.pop(f"exclusive{bound}", False):
            found[f"exclusive{bound}"] = found.pop(bound.lower())
    if "properties" in found:
        found |= {
            "properties": {name: json_schema(inner) for name, inner in found["properties"].items()},
            "additionalProperties": False,
        }
    for key in {"items", "additionalProperties"} & node.keys():
        found[key] = json_schema(node[key])
    if node.get("x-kubernetes-int-or-string"):
        found["type"] = ["integer", "string"]
    return {"anyOf": [{"type": "null"}, found]} if node.get("nullable") else found


VALIDATOR = Draft202012Validator(json_schema(SPEC))


def test_an_empty_spec_is_stored_with_every_default_that_python_has() -> None:
    stored = defaulted({}, SPEC)

    assert (
        parse.federated_learning(build.federated_learning() | {"spec": stored}).spec
        == parse.federated_learning(build.federated_learning() | {"spec": {}}).spec
    )
    assert stored["server"]["storage"] == {"type": "PersistentVolumeClaim"}


def test_the_default_of_an_object_with_rules_has_the_fields_that_they_speak_of() -> None:
    # Seen on an API server: CEL is run over the default as it is written, before the fields' own defaults are filled in.
    for path, node in NODES.items():
        if "default" in node and "x-kubernetes-validations" in node:
            assert node["default"] == defaulted({}, node), path


def test_a_default_is_a_value_that_the_schema_takes() -> None:
    assert list(VALIDATOR.iter_errors(defaulted({}, SPEC))) == []


NUMBERS = [0, 1, 3, -1, 70000, 0.5, -0.5, 1.5]
WORDS = ["", "x", "2Gi", "30m", "1h30m", "20%", "flower", "facebook", "NodePort"]
ANYTHING: st.SearchStrategy[Any] = st.sampled_from([None, True, *NUMBERS, *WORDS, [], {}, [{}], ["facebook"]])
LEAVES = [
    path.removeprefix(".spec.").split(".")
    for path, node in NODES.items()
    if path.startswith(".spec.") and "[]" not in path and "additionalProperties" not in node
]


@given(st.sampled_from(LEAVES), ANYTHING)
def test_python_and_the_schema_refuse_the_same_values(path: list[str], value: Any) -> None:
    spec: Any = value
    for part in reversed(path):
        spec = {part: spec}

    schema_takes_it = VALIDATOR.is_valid(defaulted(spec, SPEC))
    try:
        parse.federated_learning(build.federated_learning() | {"spec": spec})
    except Refused as refused:
        # What only a rule forbids is CEL's to refuse, not the schema's.
        python_takes_it = any(rule.message in str(refused) for model in models(Api) for rule in model.rules)
    else:
        python_takes_it = True

    assert python_takes_it == schema_takes_it
