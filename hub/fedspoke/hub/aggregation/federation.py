"""One federation from the first node to the shared profiles: the loop around what rounds.py, asking.py and convergence.py decide.

It speaks to the clusters through `Nodes` and finds their adapters in `Uploads`, so a test drives it with lists. It may be
killed at any moment: the next one goes on after the last finished round.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from fedspoke.api.errors import Failed, Refused
from fedspoke.api.records import AggregatorSettings, Digest, FinishOrder, TrainOrder
from fedspoke.hub.aggregation import rounds
from fedspoke.hub.aggregation.asking import Asking, Limit
from fedspoke.hub.aggregation.assembly import Assembly
from fedspoke.hub.aggregation.attendance import absent
from fedspoke.hub.aggregation.combine import combine
from fedspoke.hub.aggregation.convergence import over
from fedspoke.hub.aggregation.finish import Outcome, left_out, refusal
from fedspoke.hub.aggregation.members import Nodes
from fedspoke.hub.aggregation.progress import Account
from fedspoke.hub.aggregation.releases import Releases
from fedspoke.hub.aggregation.state import State
from fedspoke.hub.aggregation.tally import Tally
from fedspoke.hub.aggregation.terms import Terms, terms
from fedspoke.hub.aggregation.tickets import Tickets
from fedspoke.hub.aggregation.uploads import Uploads

_ATTEMPTS = 3
"""At a round that too few clusters finish, as long as what they were lost by may pass."""


@dataclass(kw_only=True)
class Federation:
    """One run. Time comes in as `now` and `wait`."""

    told: Callable[[], AggregatorSettings]
    """The settings as they are now: clusters come and go, and what may change in a run does."""
    nodes: Nodes
    tickets: Tickets
    uploads: Uploads
    releases: Releases
    state: State
    account: Account
    general_profile: Callable[[], bytes]
    """Asks the fusion service; raises Failed when it has none."""
    now: Callable[[], datetime]
    wait: Callable[[float], None]
    _clusters: Assembly = field(init=False)

    def __post_init__(self) -> None:
        self._clusters = Assembly(self.told, self.nodes, self.tickets, self.releases, self.account, self.now, self.wait)

    @property
    def settings(self) -> AggregatorSettings:
        """As they were last looked at."""
        return self._clusters.settings

    def run(self) -> None:
        """To the saved model and, if they are wanted, the fused profiles.

        Raises:
            Failed: it cannot be completed; the sentence says why.
        """
        path, digest = self._train()
        self.state.save(path, self.settings)
        self.account.say("the model is saved", model=digest)
        unfinished = self._finish() if self.settings.profiles or self.settings.holdout else ""
        records = self.state.records()
        done = f"{over(self.settings.server, records)}, the model is saved"
        reasons = {name: cluster.reason for name, cluster in self.account.progress.clusters.items()}
        missed = absent(self.settings.clusters, records, reasons)
        fused = self.account.progress.fused
        self.account.say("; ".join(filter(None, (done, missed, unfinished, fused))), phase="Completed")

    def _train(self) -> tuple[Path, Digest]:
        """All rounds that are not done yet: the last one's adapter and the adapter's digest."""
        last = self.state.last()
        ended = bool(over(self.settings.server, self.state.records()))
        for record in self.state.records():
            for cluster, part in ((name, part) for name, part in record.clusters.items() if name in self.settings.clusters):
                phase = "Trained" if ended else "Waiting"  # of those that are asked again nobody has been heard yet
                self.account.cluster(cluster, phase=phase, last_round=record.round, loss=part.loss)
        if last:
            self.account.say(f"it goes on after round {last.round}", round=last.round)
            if ended:  # restarted, and nobody may be left to ask
                return self.state.checkpoint(last.round), last.digest
        self._clusters.gather("the federation", self._quorum if last else self._enough_to_begin, self._deadline)
        number, path, digest = self.state.start(self._clusters.layout, self.settings)
        self.account.say("the clusters that are needed are ready")
        while not over(self.settings.server, self.state.records()):
            number += 1
            path, digest = self._round(number, path, digest)
        return path, digest

    def _round(self, number: int, start: Path, digest: Digest) -> tuple[Path, Digest]:
        """One round, tried again while those that it lost may come back: its adapter and the adapter's digest."""
        began, what, tally = self.now(), f"round {number}", Tally(number)
        given = self._terms(start, digest)
        self.uploads.open(number, given)
        for attempt in range(1, _ATTEMPTS + 1):
            tally.withdraw(self.uploads.withdrawn(number))
            ready = self._clusters.gather(what, self._quorum, self._deadline, done=tally.parts, lost=tally.lost)
            if given.keys() != set(self.settings.clusters):
                given = self._terms(start, digest)
                self.uploads.join(number, given)
            self._attempt(tally, given, {name: node for name, node in ready.items() if name not in tally.parts})
            quorum = self._quorum()
            if len(tally.parts) >= quorum:
                self.uploads.close(number)
                tally.withdraw(self.uploads.withdrawn(number))
                if len(tally.parts) >= quorum:
                    break
                self.uploads.reopen(number)
            hopeless = tally.missed(self.settings.clusters, self._clusters.standing.failed, quorum)
            if hopeless or attempt == _ATTEMPTS or self.now() >= self.settings.deadline:
                tried = f"; it was tried {attempt} times" if attempt > 1 else ""
                lost = {**self._clusters.standing.failed, **tally.refused}
                raise Failed(rounds.shortage(what, quorum, self.settings.clusters, lost) + tried)
        path = self.state.checkpoint(number)
        try:
            made = combine(self.settings.server.aggregation, self._clusters.layout, start, list(tally.updates.values()), path)
        except Refused as error:
            raise Failed(f"{what}: {error}") from error
        seconds = (self.now() - began).total_seconds()
        self.state.add(tally.record(made, seconds, self._clusters.late(), self.uploads.dropped()))
        self.account.say(f"round {number} of {self.settings.server.rounds} is done", phase="Running", round=number)
        return path, made.digest

    def _attempt(self, tally: Tally, given: Mapping[str, Terms], ready: Mapping[str, int]) -> None:
        """Asks these clusters to train, until all are heard, their time is over, or the round cannot be had any more."""
        number, limit = tally.number, self._limit()
        asking = Asking(ready, self.now(), limit, self._clusters.silent)
        orders = {
            name: TrainOrder(run=self.settings.run, until=limit.until, round=number, digest=given[name].digest) for name in ready
        }
        what = f"the training of round {number}"
        for _ in self._clusters.ask(asking, orders, what, lambda cluster: self.uploads.forget(number, cluster)):
            withdrawn = self.uploads.withdrawn(number)
            for cluster in withdrawn & ready.keys():
                asking.refuse(cluster, rounds.WITHDRAWN)
            tally.withdraw(withdrawn)
            for cluster in [name for name in asking.answers if name not in tally.parts]:
                answer, upload = asking.answers[cluster], self.uploads.left(number, cluster)
                sent = self.uploads.sent(number, cluster)
                if reason := tally.take(cluster, self._clusters.posts[cluster], answer, upload, given[cluster].upload, sent):
                    asking.refuse(cluster, reason)
            if len(tally.parts) >= self.settings.server.quorum:
                asking.spare()
            tally.hold(asking)
            for cluster in ready:
                self.account.cluster(cluster, **tally.told(cluster, asking))
            failed = {name: why for name, why in self._clusters.standing.failed.items() if name not in asking.awaited}
            if tally.missed(self.settings.clusters, failed, self.settings.server.quorum):
                break
        tally.repeated += asking.repeated

    def _terms(self, adapter: Path, digest: Digest) -> dict[str, Terms]:
        server = self.settings.server
        return terms(self.settings.clusters, server.aggregation, self.settings.lora, self._clusters.layout, adapter, digest)

    def _finish(self) -> str:
        """The final adapter measured, profiles shared and fused; what of it could not be had, where that fails nothing."""
        profiles = self.settings.profiles
        what = "the sharing of profiles" if profiles else "the measuring of the final adapter"
        try:
            limit = self._limit()
            ready = self._clusters.gather(what, self._quorum, self._deadline if profiles else lambda: limit)
        except Failed as error:
            if profiles:
                raise Failed(f"the model is saved, but {error}") from error
            return f"not measured: {error}"
        last, adapter, digest = self.state.start(self._clusters.layout, self.settings)
        given, limit = self._terms(adapter, digest), self._limit()
        self.uploads.open(last + 1, given, uploads=False)
        orders = {
            name: FinishOrder(run=self.settings.run, until=limit.until, round=last, digest=given[name].digest) for name in ready
        }
        asking = Asking(ready, self.now(), limit, self._clusters.silent)
        for _ in self._clusters.ask(asking, orders, what, lambda _: None):
            for cluster, answer in list(asking.answers.items()):
                if reason := refusal(self._clusters.posts[cluster], answer):
                    asking.refuse(cluster, reason)
            if len(asking.answers) >= self.settings.server.quorum:
                asking.spare()
            for cluster in ready:
                at_work = {"phase": "Finishing", "reason": asking.note(cluster)}
                self.account.cluster(cluster, **(at_work | Outcome.of(asking).told(cluster)))
        outcome = Outcome.of(asking)
        if outcome.held_out:
            self.account.say("the final adapter is measured", held_out=outcome.held_out)
        if profiles:
            self._fuse(outcome)
        away = {name: "it was not there to be asked" for name in self.settings.clusters if name not in ready}
        return outcome.unwell(away)

    def _fuse(self, outcome: Outcome) -> None:
        if not outcome.shared:
            raise Failed(f"the model is saved, but no cluster shared a profile: {outcome.unshared}")
        profile = self.general_profile()
        self.state.write("general_profile.json", profile)
        self.account.say("the profiles are fused", profile=sha256(profile).hexdigest(), fused=left_out(profile))

    def _limit(self) -> Limit:
        """Of what begins now."""
        return Limit.of(self.now(), self.settings.server.round_timeout, self.settings.deadline)

    def _enough_to_begin(self) -> int:
        return max(self.settings.server.min_available_clients, self._quorum())

    def _quorum(self) -> int:
        return self.settings.server.quorum

    def _deadline(self) -> Limit:
        return Limit(self.settings.deadline, "which is spec.deadline")
