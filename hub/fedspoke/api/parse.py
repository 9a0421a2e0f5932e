"""A FederatedLearning document becomes a value, once, at the edge; a bad one is refused with everything that is wrong with it."""

import difflib
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

from fedspoke.api import documents
from fedspoke.api.base import BROKEN_RULES, Object
from fedspoke.api.errors import Refused
from fedspoke.api.federated_learning import FederatedLearning, FederatedLearningSpec
from fedspoke.api.names import API_VERSION, KIND, LONGEST_NAME, run_name

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_BOUNDS = {
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("greater than", "gt"),
    "less_than_equal": ("at most", "le"),
    "less_than": ("less than", "lt"),
}
_KINDS = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "string_type": "text",
    "list_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
    "string_too_short": "longer: it must not be empty",
    "too_short": "longer: one item at least",
}


def read(path: Path) -> FederatedLearning:
    """The federation that a file describes.

    Raises:
        Refused: there is no such file, it holds anything but one FederatedLearning, or that one is bad.
    """
    return federated_learning(documents.read_one(path))


def federated_learning(document: Object) -> FederatedLearning:
    """The federation that an object describes; its status is not looked at.

    Raises:
        Refused: with every problem: the field as the user wrote it, its value, and what would be right.
    """
    if (document.get("apiVersion"), document.get("kind")) != (API_VERSION, KIND):
        raise Refused(f"{document.get('apiVersion')} {document.get('kind')} is not a FederatedLearning of {API_VERSION}")
    metadata: Object = found if isinstance(found := document.get("metadata"), dict) else {}
    name, namespace = metadata.get("name"), metadata.get("namespace") or "default"
    spec: FederatedLearningSpec | None = None
    problems = [*_strays(document), *_bad_names(name, namespace)]
    try:
        # Through JSON, since only there strict means what the API server means: an object is an object, "3" is no number.
        text = json.dumps(document.get("spec") or {}, default=str)
        spec = FederatedLearningSpec.model_validate_json(text, strict=True, by_alias=True, by_name=False)
    except ValidationError as error:
        problems += [problem for detail in error.errors(include_url=False) for problem in _problems(detail)]
    if spec is None or problems:
        raise Refused(f"FederatedLearning {name or 'without a name'} cannot be used: {'; '.join(problems)}")
    return FederatedLearning(namespace=namespace, name=name, generation=metadata.get("generation", 1), spec=spec)


def _strays(document: Object) -> Iterator[str]:
    known = ["apiVersion", "kind", "metadata", "spec", "status"]
    for key in document:
        if key not in known:
            yield f"{key} is not a field{_nearest(key, known)}"


def _bad_names(name: Any, namespace: Any) -> Iterator[str]:
    if not name:
        yield "metadata.name is missing"
        return
    for field, value in (("name", name), ("namespace", namespace)):
        if not isinstance(value, str) or len(value) > 63 or not re.fullmatch(_LABEL, value):
            yield (
                f"metadata.{field} is {_shown(value)}, but must be a DNS label: at most 63 lower-case letters, digits "
                "and hyphens, no hyphen first or last"
            )
            return
    if len(name) > LONGEST_NAME:
        yield f"metadata.name has {len(name)} characters, but must have at most {LONGEST_NAME}: objects add a suffix to it"
    elif len(run := run_name(namespace, name)) > 63:
        yield f"metadata.namespace and name, as {run}, have {len(run)} characters, but a label's value has at most 63"


def _problems(detail: ErrorDetails) -> Iterator[str]:
    loc, value, context = detail["loc"], detail["input"], detail.get("ctx", {})
    kind, field = detail["type"], _path(loc)
    match kind:
        case "extra_forbidden":
            yield f"{field} is not a field{_nearest(str(loc[-1]), _fields_at(loc[:-1]))}"
        case "missing":
            yield f"{field} is missing"
        case _ if kind == BROKEN_RULES:
            for rule in context["broken"]:
                at = (*loc, *rule.field.split("."))
                given = _given(value, rule.field.split("."))
                yield f"{_path(at)} {f'is {_shown(given)}, but ' if given is not None else ''}{rule.message}"
        case "literal_error":
            allowed = [str(choice) for choice in _choices(_annotation_at(loc))]
            yield f"{field} is {_shown(value)}, but must be {_either(allowed)}{_nearest(str(value), allowed, listed=False)}"
        case _ if kind in _BOUNDS:
            words, bound = _BOUNDS[kind]
            yield f"{field} is {_shown(value)}, but must be {words} {context[bound]:g}"
        case "value_error":
            yield f"{field} is {_shown(value)}, but {context['error']}"
        case "string_pattern_mismatch":
            yield f"{field} is {_shown(value)}, but must match {context['pattern']}"
        case _ if kind in _KINDS:
            yield f"{field} is {_shown(value)}, but must be {_KINDS[kind]}"
        case _:
            yield f"{field} is {_shown(value)}: {detail['msg'][:1].lower()}{detail['msg'][1:]}"


def _path(loc: Sequence[int | str]) -> str:
    """`("server", "listeners", 0, "port")` → `spec.server.listeners[0].port`."""
    parts = (f"[{part}]" if isinstance(part, int) or not re.fullmatch(r"\w+", part) else f".{part}" for part in loc)
    return "spec" + "".join(parts)


def _shown(value: Any) -> str:
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:60]}…"


def _given(value: Any, path: Sequence[str]) -> Any:
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _nearest(word: str, known: Sequence[str], *, listed: bool = True) -> str:
    near = difflib.get_close_matches(to_camel(word), known, n=1) or difflib.get_close_matches(word, known, n=1)
    if near:
        return f" (did you mean {near[0]}?)"
    return f" (known: {', '.join(known)})" if listed and known else ""


def _fields_at(loc: Sequence[int | str]) -> list[str]:
    model = _model(_annotation_at(loc))
    return [info.alias or name for name, info in model.model_fields.items()] if model else []


def _annotation_at(loc: Sequence[int | str]) -> Any:
    """The type of a field, followed from the spec by the names on the wire."""
    annotation: Any = FederatedLearningSpec
    for part in loc:
        model = _model(annotation)
        if isinstance(part, int) or model is None:  # an item of a list or a value of a map
            annotation = get_args(annotation)[-1]
        else:
            annotation = next((info.annotation for info in model.model_fields.values() if info.alias == part), None)
    return annotation


def _choices(annotation: Any) -> tuple[Any, ...]:
    """The values of a Literal, which may be optional."""
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    return next((found for inner in get_args(annotation) if (found := _choices(inner))), ())


def _either(words: Sequence[str]) -> str:
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _model(annotation: Any) -> type[BaseModel] | None:
    """The model that a type is, or is a list or an optional of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in get_args(annotation) if (found := _model(inner))), None) if get_origin(annotation) else None
