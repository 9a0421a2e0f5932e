"""Kubernetes objects as YAML text, read as kubectl reads them.

PyYAML differs from it in three ways that bite: `2e-4` would be text, `2026-11-21` a date, and of two equal keys the last
would win in silence. Beyond that, aliases may not make a small file a huge object.
"""

import math
import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from fedspoke.api.base import Object
from fedspoke.api.errors import Refused


class _Loader(yaml.CSafeLoader):
    """libyaml's SafeLoader with Kubernetes' idea of numbers, dates and keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"{key} is given twice", node.start_mark)
        return super().construct_mapping(node, deep)

    def construct_document(self, node: yaml.Node) -> Any:
        written = node.end_mark.index - node.start_mark.index
        if _expanded(node, {}) > written + _MOST_REPEATED:
            raise yaml.constructor.ConstructorError(
                None, None, f"its aliases repeat more than {_MOST_REPEATED:,} characters", node.start_mark
            )
        return super().construct_document(node)


_MOST_REPEATED = 1_000_000
"""Characters that aliases may add to a document: about what an API server takes of one object."""


def _expanded(node: yaml.Node, known: dict[int, float]) -> float:
    """Characters of a node with all that its aliases repeat; a node that holds itself is endless."""
    if id(node) not in known:
        known[id(node)] = math.inf  # until it is known, only the node itself asks
        match node:
            case yaml.MappingNode(value=pairs):
                found = sum(_expanded(key, known) + _expanded(value, known) for key, value in pairs)
            case yaml.SequenceNode(value=items):
                found = sum(_expanded(item, known) for item in items)
            case _:
                found = len(node.value)
        known[id(node)] = found + 1
    return known[id(node)]


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


class _Dumper(yaml.SafeDumper):
    """SafeDumper that indents lists, as most Kubernetes YAML does, and never writes anchors."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        return True


for _scalars in (_Loader, _Dumper):  # the writer too, so that it puts a text that looks like one in quotes
    _scalars.add_implicit_resolver(
        "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
    )


def load(text: str, source: str) -> list[Object]:
    """Every object in a text of YAML (or JSON) documents, and in the Lists there, as `kubectl get -o yaml` writes one.

    `source` names the text in errors.

    Raises:
        Refused: it is no YAML, or a document is no object with apiVersion and kind.
    """
    try:
        found = [document for document in yaml.load_all(text, Loader=_Loader) if document is not None]
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or getattr(error, "reason", None)
        raise Refused(f"{source} is not YAML{where}: {problem or 'it cannot be read'}") from None
    except RecursionError:
        raise Refused(f"{source} is nested more deeply than any Kubernetes object") from None
    found = [item for document in found for item in _items(document)]
    for document in found:
        if not isinstance(document, dict) or not all(isinstance(document.get(key), str) for key in ("apiVersion", "kind")):
            raise Refused(f"{source} holds a document that is no Kubernetes object: it needs apiVersion and kind")
    return found


def _items(document: Any) -> list[Any]:
    match document:
        case {"apiVersion": "v1", "kind": "List", "items": list(items)}:
            return items
        case _:
            return [document]


def read(path: Path) -> list[Object]:
    """Every object in a file.

    Raises:
        Refused: as `load`, or there is no such file, or it is no text.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise Refused(f"{path} does not exist; name a YAML file") from None
    except IsADirectoryError:
        raise Refused(f"{path} is a folder; name a YAML file in it") from None
    except UnicodeDecodeError:
        raise Refused(f"{path} is not YAML: it is no UTF-8 text") from None
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}") from None
    return load(text, str(path))


def dump(*objects: Object) -> str:
    """Objects as YAML documents, in the order of their keys."""
    return yaml.dump_all(objects, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
