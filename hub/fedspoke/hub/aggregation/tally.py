"""What one round has so far: whose update counts, who is lost for it, and what was dropped. Decided from plain values."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from fedspoke.api.records import ClusterRound, Finished, Prepared, RoundRecord, Trained
from fedspoke.hub.aggregation import means, rounds
from fedspoke.hub.aggregation.asking import Asking, Lost
from fedspoke.hub.aggregation.combine import Combined, Update
from fedspoke.hub.aggregation.layout import Layout
from fedspoke.hub.aggregation.slot import Dropped, Upload


@dataclass(slots=True)
class Tally:
    """One round, over all attempts at it: an update that counts is not asked for again."""

    number: int
    parts: dict[str, ClusterRound] = field(default_factory=dict)
    updates: dict[str, Update] = field(default_factory=dict)
    lost: dict[str, Lost] = field(default_factory=dict)
    repeated: int = 0

    @property
    def out(self) -> dict[str, str]:
        """The clusters whose failure would only be repeated in this round, and what it was."""
        return {cluster: lost.reason for cluster, lost in self.lost.items() if not lost.passing}

    @property
    def refused(self) -> dict[str, str]:
        """The clusters whose update does not count, and why."""
        return {cluster: lost.reason for cluster, lost in self.lost.items()}

    def take(
        self, cluster: str, posts: int, answer: Prepared | Trained | Finished, upload: Upload | None, layout: Layout, sent: int
    ) -> str | None:
        """The cluster's update counts, once; or the reason why not.

        Args:
            cluster: Whose it is.
            posts: How many the cluster said it has, when it was ready.
            answer: What its node said.
            upload: What came under its certificate.
            layout: Of the upload.
            sent: Bytes of adapters that the cluster was sent in this round.
        """
        if reason := rounds.refusal(self.number, posts, answer, upload):
            return reason
        assert upload is not None and isinstance(answer, Trained)  # noqa: S101, PT018  else it was refused
        self.updates[cluster] = Update(cluster, upload.path, upload.examples, layout)
        self.parts[cluster] = ClusterRound(
            loss=answer.loss,
            examples=upload.examples,
            seconds=answer.seconds,
            bytes_in=upload.size,
            bytes_out=sent,
            held_out=answer.held_out,
        )
        return None

    def withdraw(self, clusters: Iterable[str]) -> None:
        """Their owners take back what they share: nothing of them is in this round."""
        for cluster in clusters:
            self.parts.pop(cluster, None)
            self.updates.pop(cluster, None)
            self.lost[cluster] = Lost(rounds.WITHDRAWN, passing=False)

    def hold(self, asking: Asking) -> None:
        """Who is lost as of now. Whoever was lost and is back is not."""
        still = {cluster: lost for cluster, lost in self.lost.items() if cluster not in asking.clusters}
        self.lost = still | asking.lost

    def told(self, cluster: str, asking: Asking) -> dict[str, object]:
        """How a cluster that was asked stands, in the fields of `ClusterProgress`."""
        if part := self.parts.get(cluster):
            return {"phase": "Trained", "reason": "", "last_round": self.number, "loss": part.loss}
        if lost := self.lost.get(cluster):
            return {"phase": "Failed", "reason": lost.reason}
        return {"phase": "Training", "reason": asking.note(cluster)}

    def missed(self, clusters: Collection[str], failed: Mapping[str, str], need: int) -> bool:
        """Whether the round cannot be had any more: too many are out of it, or have failed for good before it."""
        gone = {*self.out, *failed} - self.parts.keys()
        return rounds.hopeless(clusters, gone, need)

    def record(self, made: Combined, seconds: float, late: int, dropped: Dropped) -> RoundRecord:
        """The finished round; its loss is the clusters', weighted by examples.

        Args:
            made: What the updates became.
            seconds: How long the round took.
            late: Answers to rounds before that came in this one.
            dropped: Uploads that were.
        """
        return RoundRecord(
            round=self.number,
            digest=made.digest,
            loss=means.mean((part.loss, part.examples) for part in self.parts.values()),
            seconds=seconds,
            clusters=dict(self.parts),
            refused=self.refused,
            late=late + dropped.late,
            repeated=self.repeated + dropped.repeated,
            lora_bias=made.lora_bias,
        )
