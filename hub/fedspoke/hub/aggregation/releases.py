"""releases.json: which noised adapters each cluster has released to the hub. What they may tell together grows with each.

An upload is counted when it is whole and verified, whatever becomes of it: its round may never end, its answer may be lost. Other
bytes are another release, as their noise was drawn anew; the same bytes again are none. It is counted on the disk before it is of
any use: a crash counts one too many, never one too few. Where a cluster says that more has left it, its word counts.

A cluster counts in a ledger, which may be lost with its pod: the next one begins at 0, and what was counted in it comes on top.
"""

import threading
from pathlib import Path

from pydantic import RootModel, ValidationError

from fedspoke.api import files
from fedspoke.api.errors import Failed
from fedspoke.api.records import Count, Digest, Record, cause
from fedspoke.api.training import AdapterPrivacy

FILE = "releases.json"


class Released(Record):
    """What one cluster has released."""

    ledger: str = ""
    """The one that the cluster spoke of last."""
    said: Count = 0
    """Its word of that one."""
    uploads: dict[int, tuple[Digest, ...]] = {}
    """By round, since that one is spoken of."""
    before: dict[str, Count] = {}
    """Of the ledgers before it, what was released."""

    @property
    def count(self) -> int:
        """How many adapters, at least."""
        return max(self.said, sum(map(len, self.uploads.values()))) + sum(self.before.values())

    def told(self, ledger: str, count: int, digest: Digest) -> "Released":
        """With the cluster's word, which came with the adapter of this digest."""
        if ledger in self.before:  # a late word of a pod that has gone
            return self.model_copy(update={"before": self.before | {ledger: max(count, self.before[ledger])}})
        if self.ledger in ("", ledger):
            return self.model_copy(update={"ledger": ledger, "said": max(count, self.said)})
        own = {number: (digest,) for number, digests in self.uploads.items() if digest in digests}
        others = [it for digests in self.uploads.values() for it in digests if it != digest]
        before = self.before | {self.ledger: max(self.said, len(others))}
        return Released(ledger=ledger, said=count, uploads=own, before=before)


class _File(RootModel[dict[str, Released]]):
    """By cluster."""


class Releases:
    """Of one run. Where nothing is noised there is nothing to account for, and nothing is written."""

    def __init__(self, file: Path, privacy: AdapterPrivacy) -> None:
        """What was released before.

        Raises:
            Failed: the file cannot be read; to begin at 0 again would hide what was spent.
        """
        self._file = file
        self._noised = privacy.mechanism != "none"
        self._clusters = _read(file)
        self._lock = threading.Lock()  # the exchange's threads upload, the federation's hears

    def uploaded(self, cluster: str, round: int, digest: Digest) -> None:  # noqa: A002  the field's word
        """A whole and verified adapter has come."""
        with self._lock:
            known = self._clusters.get(cluster, Released())
            of_round = known.uploads.get(round, ())
            if digest not in of_round:
                self._write(cluster, known.model_copy(update={"uploads": known.uploads | {round: (*of_round, digest)}}))

    def said(self, cluster: str, ledger: str, count: int, digest: Digest) -> None:
        """So many have left the cluster by its own word, which it cannot take back.

        Args:
            cluster: Whose word it is.
            ledger: In which it has counted them; empty if it names none.
            count: In this ledger, the adapter that comes with the word included.
            digest: Of that adapter.
        """
        with self._lock:
            known = self._clusters.get(cluster, Released())
            if (told := known.told(ledger, count, digest)) != known:
                self._write(cluster, told)

    def _write(self, cluster: str, released: Released) -> None:
        if self._noised:
            clusters = self._clusters | {cluster: released}
            files.replace(self._file, _File(clusters).model_dump_json(by_alias=True).encode())
            self._clusters = clusters


def counts(file: Path) -> dict[str, int]:
    """Cluster → how many adapters it has released.

    Raises:
        Failed: the file cannot be read.
    """
    return {cluster: released.count for cluster, released in _read(file).items()}


def counts_told(text: str) -> dict[str, int]:
    """The same of a file's content.

    Raises:
        Failed: it is none.
    """
    return {cluster: released.count for cluster, released in _parsed(text, FILE).items()} if text else {}


def _read(file: Path) -> dict[str, Released]:
    try:
        return _parsed(file.read_text(), file)
    except FileNotFoundError:
        return {}


def _parsed(text: str, source: str | Path) -> dict[str, Released]:
    try:
        return _File.model_validate_json(text).root
    except ValidationError as error:
        raise Failed(f"{source} is no account of releases ({cause(error)}); restore it, as it says what was spent") from None
