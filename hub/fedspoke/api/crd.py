"""The CustomResourceDefinition, generated from the models: what Python refuses, the API server refuses too.

pydantic describes models in JSON Schema; Kubernetes wants its structural dialect of OpenAPI: no references, no unions,
`nullable` instead of null types, booleans for exclusive bounds, and rules between fields in CEL.
"""

from datetime import timedelta
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue
from pydantic_core import core_schema

from fedspoke.api.base import Api, Object
from fedspoke.api.federated_learning import FederatedLearningSpec, FederatedLearningStatus
from fedspoke.api.names import DOMAIN, KIND, LONGEST_NAME, PLURAL, VERSION
from fedspoke.api.units import format_duration

_COLUMNS = (
    ("Phase", "string", ".status.phase", "Where the federation is."),
    ("Round", "string", ".status.summary.rounds", "Completed of all rounds."),
    ("Clusters", "string", ".status.summary.clusters", "Clusters at work of all chosen ones."),
    ("Loss", "string", ".status.summary.loss", "The last round's loss."),
    ("Age", "date", ".metadata.creationTimestamp", "Since when it exists."),
)


def crd() -> Object:
    """The CRD of FederatedLearning, ready to apply."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{DOMAIN}"},
        "spec": {
            "group": DOMAIN,
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": KIND.lower(),
                "shortNames": ["fl"],
            },
            "scope": "Namespaced",
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [
                        {"name": name, "type": kind, "jsonPath": path, "description": description}
                        for name, kind, path, description in _COLUMNS
                    ],
                    "schema": {"openAPIV3Schema": _resource()},
                }
            ],
        },
    }


def _resource() -> Object:
    return {
        "description": "One federation: LoRA training of a LLaVA on the clusters that declare the data, which never leaves them.",
        "type": "object",
        "properties": {
            "apiVersion": {"description": "The schema's group and version.", "type": "string"},
            "kind": {"description": "What the object is.", "type": "string"},
            "metadata": {"type": "object"},  # its schema is the API server's, which takes no other word on it
            "spec": _filled(structural(FederatedLearningSpec, "validation")),
            "status": structural(FederatedLearningStatus, "serialization"),
        },
        "x-kubernetes-validations": [
            {
                "rule": "self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
                "message": "metadata.name must be a DNS label: lower-case letters, digits and hyphens, no dots",
            },
            {
                "rule": f"size(self.metadata.name) <= {LONGEST_NAME}",
                "message": f"metadata.name must have at most {LONGEST_NAME} characters: objects add a suffix to it",
            },
        ],
    }


def structural(model: type[BaseModel], mode: JsonSchemaMode) -> Object:
    """A model's structural schema; in mode serialization with its computed fields."""
    root = model.model_json_schema(by_alias=True, mode=mode, schema_generator=_Schema)
    found: Object = _inlined(root, root.get("$defs", {}))
    return found


class _Schema(GenerateJsonSchema):
    """JSON Schema with Kubernetes' way of writing defaults, null and rules."""

    def encode_default(self, dft: Any) -> Any:
        """Durations as Go writes them; an object's default is in its fields' defaults."""
        if isinstance(dft, timedelta):
            return format_duration(dft)
        return {} if isinstance(dft, Api) else super().encode_default(dft)

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        """Not a union with null."""
        return {**self.generate_inner(schema["schema"]), "nullable": True}

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """With the model's rules."""
        found = super().model_schema(schema)
        rules = schema["cls"].rules if issubclass(schema["cls"], Api) else ()
        if rules:
            found["x-kubernetes-validations"] = [
                {"rule": rule.cel, "message": f"{rule.field} {rule.message}", "fieldPath": f".{rule.field}"} for rule in rules
            ]
        return found


def _inlined(node: Object, definitions: Object) -> Object:
    """A schema in the structural dialect, references and all."""
    if "$ref" in node:
        own = {key: value for key, value in node.items() if key != "$ref"}
        return _inlined(definitions[node["$ref"].removeprefix("#/$defs/")] | own, definitions)
    found = _structural(node)
    if "properties" in found:
        found["properties"] = {name: _inlined(inner, definitions) for name, inner in found["properties"].items()}
    for key in {"items", "additionalProperties"} & found.keys():
        found[key] = _inlined(found[key], definitions)
    return _filled(found) if found.get("default") == {} else found


def _filled(node: Object) -> Object:
    """An object whose default is its fields' defaults, written out: the API server holds a default, as it is, to the rules."""
    return node | {"default": {name: inner["default"] for name, inner in node["properties"].items() if "default" in inner}}


def _structural(node: Object) -> Object:
    """One node in the structural dialect; those inside it are as they were."""
    found = {key: value for key, value in node.items() if key not in ("$defs", "title", "readOnly", "const")}
    if "const" in node:
        found["enum"] = [node["const"]]
    for exclusive in [key for key in ("exclusiveMinimum", "exclusiveMaximum") if key in node]:
        found |= {exclusive.removeprefix("exclusive").lower(): node[exclusive], exclusive: True}
    if "required" in node:
        found["required"] = [name for name in node["required"] if not node["properties"][name].get("readOnly")]
    if node.get("additionalProperties") is False:  # the API server drops unknown fields, and kubectl refuses them
        del found["additionalProperties"]
    if node.get("default") is None:  # then null means the same as absence, and the API server drops it
        found.pop("nullable", None)
    if node.get("default", 0) in (None, "", []):
        del found["default"]  # an empty one says nothing, and would be written into every object
    if "x-kubernetes-int-or-string" in node:
        found.pop("type", None)
    return {key: value for key, value in found.items() if key != "required" or value}
