"""One file of an export, in the platforms' own way of writing."""

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class File:
    """A file by its name relative to the export's root."""

    name: str
    content: bytes


def document(name: str, value: Any) -> File:
    """JSON with every byte of a text as a character of its own, as both platforms write it."""
    return File(name, json.dumps(_mangled(value), indent=2).encode())


def as_html(file: File) -> File:
    """The same for a person who chose HTML: pages instead of documents."""
    if not file.name.endswith(".json"):
        return file
    page = "<!DOCTYPE html>\n<html><head><meta charset='utf-8'></head><body>{}</body></html>\n"
    return File(file.name.removesuffix(".json") + ".html", page.format(file.content.decode("ascii")).encode())


def _mangled(value: Any) -> Any:
    if isinstance(value, str):
        return value if value.isascii() else value.encode().decode("latin-1")
    if isinstance(value, list):
        return [_mangled(item) for item in value]
    if isinstance(value, dict):
        return {key: _mangled(item) for key, item in value.items()}
    return value
