"""Where one cluster leaves its adapter of one round: what is on its way, what was cut, and the one upload that counts.

An upload exists once it is whole and verified; until then there are arrivals, and of those that were cut the last is kept. Two
threads meet here: the federation's, which shuts the slot and takes what was left, and the exchange's, under which uploads come.
"""

import os
import tempfile
import threading
from dataclasses import dataclass, replace
from pathlib import Path

from fedspoke.hub.aggregation import layout as layouts
from fedspoke.hub.aggregation.claim import Claim
from fedspoke.hub.aggregation.releases import Releases
from fedspoke.hub.aggregation.spool import Arrival
from fedspoke.hub.aggregation.terms import Terms

_AT_ONCE = 4  # a retry may overtake the attempt that died; more would only fill the disk


class NotTaken(Exception):
    """An upload that is not taken; the sentence says why."""


class Late(NotTaken):
    """Its time is over."""


class Other(NotTaken):
    """The cluster has left another adapter."""


class Crowded(NotTaken):
    """The cluster sends too many at once."""


class Elsewhere(NotTaken):
    """A rest that does not begin where what came before it ends: after `here` bytes."""

    def __init__(self, sentence: str, here: int) -> None:
        super().__init__(sentence)
        self.here = here


@dataclass(frozen=True)
class Upload:
    """One cluster's adapter, whole and verified."""

    path: Path
    digest: str
    examples: int
    size: int


@dataclass(frozen=True, slots=True)
class Dropped:
    """Uploads that put nothing into a sum: their time was over, or the same bytes had come before."""

    late: int = 0
    repeated: int = 0


@dataclass(frozen=True)
class Delivery:
    """One request that brings an upload, or the rest of one; the arrival's file is its alone."""

    claim: Claim
    arrival: Arrival
    asked: int
    """How often its cluster had been asked anew when it began."""


class Slot:
    """Of one cluster in one round. `folder` is where its files are, beside those of others."""

    def __init__(
        self,
        folder: Path,
        number: int,
        cluster: str,
        terms: Terms,
        releases: Releases,
        *,
        open: bool,  # noqa: A002  what it is
    ) -> None:
        self.number = number
        """The round's."""
        self.terms = terms
        self.arriving: list[Arrival] = []
        self.sent = 0
        """Bytes of adapters that the cluster was sent."""
        self.withdrawn = False
        """Whether its owner has taken back what it left, or would have left, in this round."""
        self._file = folder / f"{number}-{cluster}.safetensors"
        self._cluster = cluster
        self._releases = releases
        self._open = open
        self._asked = 0
        self._upload: Upload | None = None
        self._cut: Arrival | None = None
        self._dropped = Dropped()
        self._lock = threading.Lock()

    @property
    def upload(self) -> Upload | None:
        """What the cluster left."""
        return self._upload

    def shut(self) -> None:
        """Nothing more is taken, so what was cut is of no use."""
        with self._lock:
            self._open = False
            if self._cut:
                self._cut.path.unlink(missing_ok=True)
                self._cut = None

    def reopen(self) -> None:
        """The round goes on, but for whose owner has withdrawn."""
        with self._lock:
            self._open = not self.withdrawn

    def withdraw(self) -> None:
        """The owner takes it back. After the round was closed it is too late: its update is in the sum."""
        with self._lock:
            self.withdrawn = self.withdrawn or self._open
        if self.withdrawn:
            self.shut()

    def forget(self) -> None:
        """The cluster is asked anew: what an earlier attempt left, or still brings, must not stand against what comes now."""
        with self._lock:
            self._asked += 1
            if self._upload:
                self._upload.path.unlink(missing_ok=True)
                self._upload = None

    def dropped(self) -> Dropped:
        """What was dropped since the last call."""
        with self._lock:
            dropped, self._dropped = self._dropped, Dropped()
            return dropped

    def here(self, digest: bytes) -> tuple[int, bool]:
        """How many bytes of the upload with this digest are here, and whether it was taken.

        Raises:
            Late: it was not, and nothing more is taken.
        """
        with self._lock:
            if self._upload and self._upload.digest == digest.hex():
                return self._upload.size, True
            if not self._open:
                raise Late(f"round {self.number} is closed")
            return (self._cut.size if self._cut and self._cut.digest == digest else 0), False

    def admit(self) -> None:
        """What can be decided of an upload before anything is known of it.

        Raises:
            Late: nothing more is taken.
            Crowded: the cluster sends too many at once.
        """
        with self._lock:
            if not self._open:
                raise self._late(f"round {self.number} is closed")
        if len(self.arriving) >= _AT_ONCE:
            raise Crowded(f"{_AT_ONCE} uploads of {self._cluster} are already under way")

    def begin(self, claim: Claim) -> Delivery:
        """Into a new file, or the one that was cut where this upload goes on.

        Raises:
            Elsewhere: it goes on where none was cut.
        """
        asked = self._asked
        arrival = self._resumed(claim) if claim.begin else self._new(claim)
        self.arriving.append(arrival)
        return Delivery(claim, arrival, asked)

    def keep(self, delivery: Delivery) -> bool:
        """What came becomes the cluster's upload; false if it was already.

        Raises:
            Refused: it is not of the agreed layout.
            Late: the round was closed meanwhile, or the cluster asked anew.
            Other: the cluster has left another one.
        """
        claim = delivery.claim
        layouts.verify(delivery.arrival.path, self.terms.upload)
        self._releases.uploaded(self._cluster, self.number, claim.digest.hex())
        upload = Upload(self._file, claim.digest.hex(), claim.examples, claim.size)
        with self._lock:
            if not self._open:
                raise self._late(f"round {self.number} was closed while the upload arrived")
            if delivery.asked != self._asked:
                raise self._late(f"{self._cluster} was asked anew for round {self.number} while the upload arrived")
            if self._upload == upload:
                self._dropped = replace(self._dropped, repeated=self._dropped.repeated + 1)
                return False
            if self._upload:
                raise Other(f"{self._cluster} has already left another adapter in round {self.number}")
            delivery.arrival.path.replace(self._file)
            self._upload = upload
            return True

    def end(self, delivery: Delivery) -> None:
        """Of what the request brought nothing is left, unless it was kept, or broke off and may go on."""
        self.arriving.remove(delivery.arrival)
        with self._lock:
            candidates = [each for each in (delivery.arrival, self._cut) if each]
            going_on = [each for each in candidates if each.broken_off] if self._open and not self._upload else []
            self._cut = going_on[0] if going_on else None
            for each in candidates:
                if each is not self._cut:
                    each.path.unlink(missing_ok=True)
        delivery.arrival.ended.set()

    def _late(self, sentence: str) -> Late:
        self._dropped = replace(self._dropped, late=self._dropped.late + 1)
        return Late(sentence)

    def _new(self, claim: Claim) -> Arrival:
        descriptor, name = tempfile.mkstemp(dir=self._file.parent, prefix=f"{self._file.name}.")
        os.close(descriptor)
        return Arrival(Path(name), claim.digest, claim.size)

    def _resumed(self, claim: Claim) -> Arrival:
        with self._lock:
            cut = self._cut
            here = cut.size if cut and (cut.digest, cut.whole) == (claim.digest, claim.size) else 0
            if cut is None or here != claim.begin:
                raise Elsewhere(f"{here} bytes of this upload are here, so its rest does not begin at {claim.begin}", here)
            self._cut = None
            return cut
