"""The demo's example, changed in one place for each test that needs a federation to go wrong."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True)
class Example:
    """A folder as `fedspoke demo` writes it."""

    folder: Path

    @property
    def cr(self) -> Path:
        return self.folder / "federatedlearning.yaml"

    @property
    def clusters(self) -> Path:
        return self.folder / "clusters"

    @property
    def out(self) -> Path:
        return self.folder / "out"

    def change(self, **spec: Any) -> None:
        """Set fields of the CR's spec: `change(server={"rounds": 1})` merges into what is there."""
        document = yaml.safe_load(self.cr.read_text())
        for part, value in spec.items():
            document["spec"][part] = {**document["spec"].get(part, {}), **value} if isinstance(value, dict) else value
        self.cr.write_text(yaml.safe_dump(document))

    def command(self) -> list[str]:
        return [*fedspoke("run"), str(self.cr), "--clusters", str(self.clusters), "--out", str(self.out)]


def fedspoke(*words: str) -> list[str]:
    """The command, as a process of this environment."""
    return [sys.executable, "-m", "fedspoke.cli", *words]


def call(command: list[str], seconds: float = 300) -> subprocess.CompletedProcess[str]:
    """Run it to its end; a command that hangs is an error."""
    return subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)


def copied(original: Path, folder: Path) -> Example:
    """An example of one's own."""
    shutil.copytree(original, folder)
    return Example(folder)
