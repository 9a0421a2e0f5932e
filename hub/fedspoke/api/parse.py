"""Documents become values, once, at the edge; a bad one is refused with everything that is wrong with it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from fedspoke.api import documents
from fedspoke.api.base import Object
from fedspoke.api.errors import Refused
from fedspoke.api.federated_learning import FederatedLearning, FederatedLearningSpec
from fedspoke.api.names import API_VERSION, KIND, LONGEST_LABEL, LONGEST_NAME, PLACEMENT, run_name
from fedspoke.api.placement_spec import PlacementSpec
from fedspoke.api.problems import nearest, problems, shown

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_FIELDS = ("apiVersion", "kind", "metadata", "spec", "status")

_Spec = TypeVar("_Spec", bound=BaseModel)


def document(path: Path) -> Object:
    """The object of a file that holds exactly one.

    Raises:
        Refused: there is no such file, it is no YAML, or it holds none or several.
    """
    found = documents.read(path)
    if len(found) != 1:
        raise Refused(f"{path} holds {len(found) or 'no'} objects; give a file with exactly one")
    return found[0]


def read(path: Path) -> FederatedLearning:
    """The federation that a file describes.

    Raises:
        Refused: it holds anything but one FederatedLearning, or that one is bad.
    """
    return federated_learning(document(path))


def federated_learning(document: Object) -> FederatedLearning:
    """The federation that an object describes; its status is not looked at.

    Raises:
        Refused: with every problem: the field as the user wrote it, its value, and what would be right.
    """
    _refuse_any_but(API_VERSION, KIND, document)
    metadata = _metadata(document)
    name, namespace = metadata.get("name"), metadata.get("namespace") or "default"
    generation = found if isinstance(found := metadata.get("generation"), int) else 1  # only the API server counts it
    spec = _spec(document, FederatedLearningSpec, [*_strays(document), *_bad_metadata(document), *_bad_names(name, namespace)])
    uid = str(metadata.get("uid") or "")
    return FederatedLearning(namespace=namespace, name=str(name), uid=uid, generation=generation, spec=spec)


def placement(document: Object) -> PlacementSpec:
    """The spec of a Placement.

    Raises:
        Refused: it is no Placement, or has a field that OCM does not know or a value that it would not take.
    """
    _refuse_any_but(*PLACEMENT, document)
    missing = ["spec is missing; {} chooses every cluster"] if document.get("spec") is None else []
    namespace = _metadata(document).get("namespace")
    bad_namespace = [] if namespace in (None, "") else _no_label("namespace", namespace)
    return _spec(document, PlacementSpec, [*_strays(document), *_bad_metadata(document), *bad_namespace, *missing])


def _refuse_any_but(api_version: str, kind: str, document: Object) -> None:
    if (document.get("apiVersion"), document.get("kind")) != (api_version, kind):
        right = f": write apiVersion: {api_version}" if document.get("kind") == kind else ""
        raise Refused(f"{document.get('apiVersion')} {document.get('kind')} is not a {kind} of {api_version}{right}")


def _spec(document: Object, model: type[_Spec], found: list[str]) -> _Spec:
    given = document.get("spec")
    try:
        # Through JSON, since only there strict means what the API server means: an object is an object, "3" is no number.
        text = json.dumps({} if given is None else given, default=str)
        spec = model.model_validate_json(text, strict=True, by_alias=True, by_name=False)
    except ValidationError as error:
        found = [*found, *problems(error, model, "spec")]
    if found:
        name = _metadata(document).get("name") or "without a name"
        raise Refused(f"{document['kind']} {name} cannot be used: {'; '.join(found)}")
    return spec


def _metadata(document: Object) -> Object:
    found = document.get("metadata")
    return found if isinstance(found, dict) else {}


def _bad_metadata(document: Object) -> Iterator[str]:
    """Metadata that is no object is said to be none; of its maps, what no API server would take."""
    given = document.get("metadata")
    if not isinstance(given, dict):
        yield "metadata is missing" if given is None else f"metadata is {shown(given)}, but must be an object"
    for field in ("labels", "annotations"):
        values = _metadata(document).get(field)
        if not isinstance(values, dict | None):
            yield f"metadata.{field} is {shown(values)}, but must be an object"
            continue
        for key, value in (values or {}).items():
            if not (isinstance(key, str) and isinstance(value, str)):
                yield f"metadata.{field}[{key}] is {shown(value)}, but key and value must be text, in quotes"


def _strays(document: Object) -> Iterator[str]:
    for key in document:
        if key not in _FIELDS:
            yield f"{key} is not a field{nearest(key, _FIELDS)}"


def _bad_names(name: Any, namespace: Any) -> Iterator[str]:
    if not name:
        yield "metadata.name is missing"
        return
    if bad := [*_no_label("name", name), *_no_label("namespace", namespace)]:
        yield bad[0]
    elif len(name) > LONGEST_NAME:
        yield f"metadata.name has {len(name)} characters, but must have at most {LONGEST_NAME}: objects add a suffix to it"
    elif len(run := run_name(namespace, name)) > LONGEST_LABEL:
        yield f"metadata.namespace and name, as {run}, have {len(run)} characters; a label's value has at most {LONGEST_LABEL}"


def _no_label(field: str, value: Any) -> Iterator[str]:
    if not isinstance(value, str) or len(value) > 63 or not re.fullmatch(_LABEL, value):
        yield (
            f"metadata.{field} is {shown(value)}, but must be a DNS label: at most 63 lower-case letters, digits "
            "and hyphens, no hyphen first or last"
        )
