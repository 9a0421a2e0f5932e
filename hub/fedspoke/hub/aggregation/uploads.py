"""The adapters that clusters leave, round by round, one a cluster and round (slot.py).

The federation opens a round, takes what was left, and closes it; over HTTP it is the exchange.
"""

from collections.abc import Mapping
from pathlib import Path

from fedspoke.hub.aggregation.releases import Releases
from fedspoke.hub.aggregation.slot import Dropped, Slot, Upload
from fedspoke.hub.aggregation.terms import Terms


class Uploads:
    """Those of one run. `folder` is their own: what it holds at the start is a dead run's, and goes."""

    def __init__(self, folder: Path, releases: Releases) -> None:
        self._folder = folder
        self._releases = releases
        self._rounds: dict[int, dict[str, Slot]] = {}
        self._away: set[str] = set()
        """Whose owner has withdrawn, until a node of theirs comes anew."""
        folder.mkdir(parents=True, exist_ok=True)
        for leftover in folder.glob("*.safetensors*"):
            leftover.unlink()

    def open(
        self,
        round: int,  # noqa: A002  the field's word
        terms: Mapping[str, Terms],
        *,
        uploads: bool = True,
    ) -> None:
        """From now on each of these clusters may fetch its adapter and, unless `uploads` is false, leave one.

        The uploads of earlier rounds are deleted.
        """
        for slots in self._rounds.values():
            for slot in slots.values():
                slot.shut()
                slot.forget()
        self._rounds[round] = {cluster: self._slot(round, cluster, own, uploads=uploads) for cluster, own in terms.items()}

    def join(self, round: int, terms: Mapping[str, Terms]) -> None:  # noqa: A002
        """Those of these clusters who are new in an open round take part in it, too."""
        slots = self._rounds[round]
        for cluster in terms.keys() - slots.keys():
            slots[cluster] = self._slot(round, cluster, terms[cluster], uploads=True)

    def _slot(self, number: int, cluster: str, terms: Terms, *, uploads: bool) -> Slot:
        slot = Slot(self._folder, number, cluster, terms, self._releases, open=uploads)
        if cluster in self._away:
            slot.withdraw()
        return slot

    def close(self, round: int) -> None:  # noqa: A002
        """Whoever comes later is told so; what is there stays until another round is opened."""
        for slot in self._rounds[round].values():
            slot.shut()

    def reopen(self, round: int) -> None:  # noqa: A002
        """It was closed, and cannot be had without more."""
        for slot in self._rounds[round].values():
            slot.reopen()

    def withdraw(self, cluster: str) -> None:
        """What this cluster left in a round that is not closed yet is not to count, nor what comes before its node does anew."""
        self._away.add(cluster)
        for slots in list(self._rounds.values()):  # another thread's
            if cluster in slots:
                slots[cluster].withdraw()

    def welcome(self, cluster: str) -> None:
        """A node of the cluster has come: its owner shares again. It takes part from the next round on."""
        self._away.discard(cluster)

    def withdrawn(self, round: int) -> frozenset[str]:  # noqa: A002
        """Whose owner took back what it left in this round. Once the round is closed nobody joins them."""
        return frozenset(cluster for cluster, slot in self._rounds[round].items() if slot.withdrawn)

    def round(self, number: int) -> Mapping[str, Slot] | None:
        """The slots of those who take part in it; None if it was never opened."""
        return self._rounds.get(number)

    def left(self, round: int, cluster: str) -> Upload | None:  # noqa: A002
        """What the cluster left, if it is whole and verified."""
        return self._rounds[round][cluster].upload

    def forget(self, round: int, cluster: str) -> None:  # noqa: A002
        """The cluster is asked anew: what an earlier attempt left, or still brings, must not stand against what comes now."""
        self._rounds[round][cluster].forget()

    def sent(self, round: int, cluster: str) -> int:  # noqa: A002
        """Bytes of adapters that this cluster was sent."""
        return self._rounds[round][cluster].sent

    def dropped(self) -> Dropped:
        """What was dropped since the last call."""
        dropped = [slot.dropped() for slots in self._rounds.values() for slot in slots.values()]
        return Dropped(sum(each.late for each in dropped), sum(each.repeated for each in dropped))
