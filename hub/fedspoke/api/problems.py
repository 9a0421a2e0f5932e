"""What a validation error means to whoever wrote the document: the field as they wrote it, its value, what would be right."""

import difflib
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

from fedspoke.api.base import BROKEN_RULES

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
    "string_type": "text, in quotes",
    "list_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
    "string_too_short": "longer: it must not be empty",
    "too_short": "longer: one item at least",
}


def problems(error: ValidationError, model: type[BaseModel], root: str) -> list[str]:
    """One clause for each problem; `model` is what was to become of the document's part at `root`, "" for all of it."""
    found = [problem for detail in error.errors(include_url=False) for problem in _problems(detail, model)]
    return [f"{root}{problem}" if root else problem.removeprefix(".") for problem in found]


def shown(value: Any) -> str:
    """A value as JSON, cut where it is long."""
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:60]}…"


def nearest(word: str, known: Sequence[str], *, listed: bool = True) -> str:
    """What a typo was meant to be, in brackets; else all that is known, if `listed`."""
    near = difflib.get_close_matches(to_camel(word), known, n=1) or difflib.get_close_matches(word, known, n=1)
    if near:
        return f" (did you mean {near[0]}?)"
    return f" (known: {', '.join(known)})" if listed and known else ""


def _problems(detail: ErrorDetails, model: type[BaseModel]) -> Iterator[str]:
    loc, value, context = detail["loc"], detail["input"], detail.get("ctx", {})
    kind, field = detail["type"], _path(loc)
    match kind:
        case "extra_forbidden":
            yield f"{field} is not a field{nearest(str(loc[-1]), _fields_at(model, loc[:-1]))}"
        case "missing":
            yield f"{field} is missing"
        case _ if kind == BROKEN_RULES:
            for rule in context["broken"]:
                at = (*loc, *rule.field.split("."))
                given = _given(value, rule.field.split("."))
                yield f"{_path(at)} {f'is {shown(given)}, but ' if given is not None else ''}{rule.message}"
        case "literal_error":
            allowed = [str(choice) for choice in _choices(_annotation_at(model, loc))]
            yield f"{field} is {shown(value)}, but must be {_either(allowed)}{nearest(str(value), allowed, listed=False)}"
        case _ if kind in _BOUNDS:
            words, bound = _BOUNDS[kind]
            yield f"{field} is {shown(value)}, but must be {words} {context[bound]:g}"
        case "value_error":
            yield f"{field} is {shown(value)}, but {context['error']}"
        case "string_pattern_mismatch":
            yield f"{field} is {shown(value)}, but must match {context['pattern']}"
        case _ if kind in _KINDS:
            yield f"{field} is {shown(value)}, but must be {_KINDS[kind]}"
        case _:
            yield f"{field} is {shown(value)}: {detail['msg'][:1].lower()}{detail['msg'][1:]}"


def _path(loc: Sequence[int | str]) -> str:
    """`("server", "listeners", 0, "port")` → `.server.listeners[0].port`."""
    parts = (f"[{part}]" if isinstance(part, int) or not re.fullmatch(r"\w+", part) else f".{part}" for part in loc)
    return "".join(parts)


def _given(value: Any, path: Sequence[str]) -> Any:
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _fields_at(model: type[BaseModel], loc: Sequence[int | str]) -> list[str]:
    here = _model(_annotation_at(model, loc))
    return [info.alias or name for name, info in here.model_fields.items()] if here else []


def _annotation_at(model: type[BaseModel], loc: Sequence[int | str]) -> Any:
    """The type of a field, followed from the model by the names on the wire."""
    annotation: Any = model
    for part in loc:
        here = _model(annotation)
        if isinstance(part, int) or here is None:  # an item of a list or a value of a map
            annotation = get_args(annotation)[-1]
        else:
            annotation = next((info.annotation for info in here.model_fields.values() if info.alias == part), None)
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
