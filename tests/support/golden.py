"""Golden files: a reader sees exactly what lands on a cluster, and a change of it is a change of the file.

`UPDATE_GOLDEN=1 pytest …` writes them anew.
"""

import os
from pathlib import Path
from typing import Any

import yaml

_FOLDER = Path(__file__).parent.parent / "golden"


class _Readable(yaml.SafeDumper):
    """Multi-line strings as blocks, and no anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Readable.add_representer(
    str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)
)


def matches(name: str, objects: list[Any]) -> bool:
    """Whether `objects` are those of tests/golden/<name>.yaml."""
    path = _FOLDER / f"{name}.yaml"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(yaml.dump_all(objects, Dumper=_Readable, sort_keys=False, width=200))
    return bool(list(yaml.safe_load_all(path.read_text())) == objects)
