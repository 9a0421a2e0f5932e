"""`fedspoke run` on a machine where a cluster is not told what the hub wanted it to be told.

`-m support.changed CR CLUSTERS OUT CHANGES`, the last as JSON: cluster → what its settings have instead.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fedspoke.api import files
from fedspoke.api.errors import Failed
from fedspoke.api.federated_learning import Object
from fedspoke.local.processes import Machine, Process, machine
from fedspoke.local.run import run
from support.example import Example

Changes = Mapping[str, Mapping[str, Any]]


def command(example: Example, changes: Changes) -> list[str]:
    """As `example.command()`; it is to run where `support` is found (`FOLDER`)."""
    return [sys.executable, "-m", __name__, *map(str, (example.cr, example.clusters, example.out)), json.dumps(changes)]


FOLDER = Path(__file__).parents[1]


@dataclass
class Changed(Machine):
    """Changes a cluster's settings before it starts any of its containers."""

    changes: Changes = field(default_factory=dict)

    def start(self, pod: str, container: Object) -> Process:
        if pod in self.changes:
            settings = self.logs.parent / "clusters" / pod / "config" / "collaborator.json"
            told = _merged(json.loads(settings.read_text()), self.changes[pod])
            files.replace(settings, json.dumps(told).encode())
        return super().start(pod, container)


def main(cr: str, clusters: str, out: str, changes: str) -> None:
    @contextmanager
    def changed(logs: Path) -> Iterator[Machine]:
        with machine(logs):
            here = Changed(logs, changes=json.loads(changes))
            try:
                yield here
            finally:
                here.stop()

    try:
        last = run(Path(cr), Path(clusters), Path(out), lambda _: None, on=changed)
    except Failed as error:
        sys.exit(f"fedspoke: {error}")
    if last.phase != "Completed":
        sys.exit(f"fedspoke: {last.message}")


def _merged(told: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    new = {name: _merged(told[name], value) if isinstance(value, dict) else value for name, value in changes.items()}
    return told | new


if __name__ == "__main__":
    main(*sys.argv[1:])
