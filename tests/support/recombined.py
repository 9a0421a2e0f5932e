"""What the clusters of a run made and what its hub made of it, kept while the run replaces and removes it: to combine once more.

A file appears under its name whole, and is another one when it is written anew: so a hard link keeps each of them.
"""

import json
import os
import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from fedspoke.api.aggregation import Aggregation
from fedspoke.api.records import Digest, RoundRecord, Tensor
from fedspoke.hub.aggregation.combine import Update, combine
from fedspoke.hub.aggregation.layout import Layout
from fedspoke.hub.aggregation.moments import beside
from support import adapters

_POLL = 0.02
_KEPT = ("clusters/*/rounds/update-*.safetensors", "hub/state/rounds/*.safetensors", "hub/state/rounds/*.moments")


@dataclass(frozen=True)
class Kept:
    """A folder with all that there was of each file."""

    out: Path
    folder: Path

    def versions(self, file: str) -> list[Path]:
        """All that were there under a name of the run's folder, the oldest first."""
        return sorted((self.folder / file).glob("*"), key=lambda path: path.stat().st_mtime_ns)

    def made_of(
        self, record: RoundRecord, before: RoundRecord | None, how: Aggregation, scratch: Path
    ) -> Mapping[str, Digest] | None:
        """One update of each cluster that counted, of which, by its examples, the round's adapter is made; None: of no such."""
        number = record.round
        start, result = scratch / f"{number - 1}.safetensors", scratch / f"{number}.safetensors"
        began = self.versions(f"hub/state/rounds/{start.name}")
        shutil.copyfile(next(path for path in began if before is None or adapters.digest(path) == before.digest), start)
        for moments in self.versions(f"hub/state/rounds/{beside(start).name}")[-1:]:
            shutil.copyfile(moments, beside(start))
        layout = _layout(start)
        candidates = (
            [
                Update(name, path, part.examples, layout)
                for path in self.versions(f"clusters/{name}/rounds/update-{number}.safetensors")
            ]
            for name, part in record.clusters.items()
        )
        for updates in product(*candidates):
            if combine(how, layout, start, updates, result).digest == record.digest:
                return {update.cluster: adapters.digest(update.path) for update in updates}
        return None

    def _keep(self) -> None:
        for file in (file for pattern in _KEPT for file in self.out.glob(pattern) if not file.name.startswith(".")):
            with suppress(FileNotFoundError, FileExistsError):  # it went meanwhile; it is kept
                kept = self.folder / file.relative_to(self.out) / str(file.stat().st_ino)
                kept.parent.mkdir(parents=True, exist_ok=True)
                os.link(file, kept)


@contextmanager
def keeping(out: Path, folder: Path) -> Iterator[Kept]:
    """Keeps what there is of a run, as long as the block lasts."""
    kept, over = Kept(out, folder), threading.Event()

    def keep() -> None:
        while not over.wait(_POLL):
            kept._keep()

    thread = threading.Thread(target=keep)
    thread.start()
    try:
        yield kept
    finally:
        over.set()
        thread.join()


def _layout(adapter: Path) -> Layout:
    """By its safetensors header."""
    content = adapter.read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    return tuple(Tensor(name=name, shape=tuple(of["shape"])) for name, of in sorted(header.items()) if name != "__metadata__")
