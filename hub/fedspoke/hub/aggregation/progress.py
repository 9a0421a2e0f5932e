"""progress.json: the aggregator's own account of itself, replaced whole at every step, so that a reader never sees half of it."""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from fedspoke.api.records import ClusterProgress, Progress


class Account:
    """What is so far, kept in a file."""

    def __init__(self, path: Path, clusters: Iterable[str], attempt: str = "") -> None:
        self._path = path
        self._progress = Progress(
            attempt=attempt,
            phase="Waiting",
            message="the aggregator starts",
            clusters={name: ClusterProgress() for name in clusters},
        )

    @property
    def progress(self) -> Progress:
        """As it was last said."""
        return self._progress

    def say(self, message: str, **changes: Any) -> None:
        """One sentence, and the fields of `Progress` that changed with it."""
        self._replace(message=message, **changes)

    def cluster(self, name: str, **changes: Any) -> None:
        """The fields of `ClusterProgress` that changed."""
        clusters = dict(self._progress.clusters)
        now = ClusterProgress.model_validate(dict(clusters[name]) | changes)
        if now != clusters[name]:
            self._replace(clusters=clusters | {name: now})

    def follow(self, names: Iterable[str]) -> None:
        """Other clusters are chosen."""
        known = self._progress.clusters
        self._replace(clusters={name: known.get(name, ClusterProgress()) for name in names})

    def _replace(self, **changes: Any) -> None:
        progress = Progress.model_validate(dict(self._progress) | changes)
        if progress != self._progress or not self._path.exists():
            self._progress = progress
            write(self._path, progress)


def write(path: Path, progress: Progress) -> None:
    """Replace the file at once. Not for good: what a power cut takes from it, the aggregator that follows says anew."""
    partial = path.with_suffix(".partial")
    partial.write_text(progress.model_dump_json(by_alias=True, indent=2))
    partial.replace(path)


def note(path: Path, message: str) -> None:
    """One sentence of whoever starts what follows; the rest stands."""
    if progress := read(path):
        write(path, progress.model_copy(update={"message": message}))


def fail(path: Path, message: str) -> None:
    """The federation failed; a cause that was said before stands."""
    progress = read(path)
    if progress and progress.phase != "Failed":
        write(path, progress.model_copy(update={"phase": "Failed", "message": message}))


def read(path: Path) -> Progress | None:
    """What the file says; None when it says nothing, because there is none yet or a power cut left it torn."""
    try:
        return Progress.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def waiting(what: str, names: Iterable[str], since: datetime, until: datetime) -> str:
    """`waiting for the training of round 2: cluster2; since 07:31:02, until 08:01:02 UTC`"""
    day = "" if since.date() == until.date() else f"{until:%Y-%m-%d} "
    return f"waiting for {what}: {', '.join(names)}; since {since:%H:%M:%S}, until {day}{until:%H:%M:%S} UTC"
