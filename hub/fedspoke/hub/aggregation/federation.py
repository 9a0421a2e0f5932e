"""One federation from the first node to the shared profiles: the loop around the decisions of rounds.py.

It speaks to the clusters through `Nodes` and finds their adapters in the exchange, so a test drives it with lists.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from fedspoke.api.errors import Failed, Refused
from fedspoke.api.records import AggregatorSettings, ClusterRound, Failure, Profiled, ProfileOrder, Trained, TrainOrder
from fedspoke.hub.aggregation import rounds
from fedspoke.hub.aggregation.exchange import Exchange
from fedspoke.hub.aggregation.fold import Fold
from fedspoke.hub.aggregation.members import Answer, Members, Nodes
from fedspoke.hub.aggregation.progress import Account, waiting
from fedspoke.hub.aggregation.state import State

POLL = 0.3
"""Seconds between two looks at what came; Flower's own loop takes 3."""


@dataclass(kw_only=True)
class Federation:
    """One run. Time comes in as `now` and `wait`."""

    settings: AggregatorSettings
    nodes: Nodes
    exchange: Exchange
    state: State
    account: Account
    general_profile: Callable[[], bytes]
    """Asks the fusion service; raises Failed when it has none."""
    now: Callable[[], datetime]
    wait: Callable[[float], None]
    _members: Members = field(init=False)
    _layout: rounds.Layout = ()
    _known: dict[str, int] = field(default_factory=dict)

    def run(self) -> None:
        """To the saved model and, if they are wanted, the fused profiles.

        Raises:
            Failed: it cannot be completed; the sentence says why.
        """
        self._members = Members(self.settings, self.nodes)
        server = self.settings.server
        ready = self._gather(max(server.min_available_clients, server.quorum))
        done, path, digest = self.state.start(self._layout, self.settings)
        self.account.say("the clusters that are needed are ready", round=done)
        for number in range(done + 1, server.rounds + 1):
            path, digest = self._round(number, path, digest, ready)
            ready = self._gather(server.quorum) if number < server.rounds or self.settings.profiles else {}
        self.state.save(path, self.settings)
        self.account.say("the model is saved", model=digest)
        if self.settings.profiles:
            self._profiles(path, digest, ready)
        self.account.say(f"{server.rounds} rounds are done, the model is saved", phase="Completed")

    def _gather(self, need: int) -> Mapping[str, int]:
        """Cluster → node of all that are ready, as soon as these are enough."""
        clusters, since = self.settings.clusters, self.now()
        while True:
            self._members.look()
            standing = self._members.standing(self._layout)
            for cluster, reason in standing.failed.items():
                self.account.cluster(cluster, phase="Failed", reason=reason)
            for cluster, node in standing.ready.items():
                if self._known.get(cluster) != node:  # else what the last round said of it stands
                    self._known[cluster] = node
                    self.account.cluster(cluster, phase="Ready", reason="", posts=self._members.posts(node))
            if rounds.hopeless(clusters, standing.failed, need):
                raise Failed(rounds.shortage("the federation", need, clusters, standing.failed))
            awaited = [name for name in clusters if name not in standing.ready and name not in standing.failed]
            if self.now() >= self.settings.deadline:
                late = dict.fromkeys(awaited, f"not ready by the deadline, {self.settings.deadline:%Y-%m-%d %H:%M:%S} UTC")
                raise Failed(rounds.shortage("the federation", need, clusters, {**standing.failed, **late}))
            if len(standing.ready) >= need:
                self._layout = standing.layout
                return standing.ready
            what = f"{need - len(standing.ready)} more of the {need} clusters that are needed to be ready"
            self.account.say(waiting(what, awaited, since, self.settings.deadline))
            self.wait(POLL)

    def _round(self, number: int, start: Path, digest: str, ready: Mapping[str, int]) -> tuple[Path, str]:
        began, quorum = self.now(), self.settings.server.quorum
        until = min(began + self.settings.server.round_timeout, self.settings.deadline)
        self.exchange.open(number, start, digest, self._layout, ready.keys())
        order = TrainOrder(run=self.settings.run, round=number, digest=digest)
        fold, parts, refused = Fold(self._layout), dict[str, ClusterRound](), dict[str, str]()

        def take(cluster: str, answer: Answer) -> bool:
            reason = self._add(fold, parts, number, cluster, answer)
            if reason:
                refused[cluster] = reason
            self.account.cluster(cluster, **_after(answer, number, reason))
            return not rounds.hopeless(ready, refused, quorum)

        for cluster in ready:
            self.account.cluster(cluster, phase="Training", reason="")
        for cluster, reason in self._ask(order, f"the training of round {number}", ready, until, take).items():
            refused[cluster] = reason
            self.account.cluster(cluster, phase="Failed", reason=reason)
        self.exchange.close(number)
        if len(parts) < quorum:
            raise Failed(rounds.shortage(f"round {number}", quorum, ready, refused))
        path = self.state.checkpoint(number)
        record = rounds.summary(number, fold.mean(path), (self.now() - began).total_seconds(), parts, refused)
        self.state.add(record)
        self.account.say(f"round {number} of {self.settings.server.rounds} is done", phase="Running", round=number)
        return path, record.digest

    def _ask(
        self,
        order: TrainOrder | ProfileOrder,
        what: str,
        ready: Mapping[str, int],
        until: datetime,
        take: Callable[[str, Answer], bool],
    ) -> Mapping[str, str]:
        """Sends the order to all, hands each cluster's answer to `take` until that says false, everyone answered or time is up.

        Returns:
            Who did not answer, and why; not those who were not waited for.
        """
        since, awaited, lost = self.now(), dict(ready), dict[str, str]()
        for node in ready.values():
            self.nodes.ask(node, order, until)
        wanted = True
        while True:
            for node, answered, answer in self._members.look():
                cluster = next((name for name, member in awaited.items() if member == node), None)
                if cluster and answered == order:
                    del awaited[cluster]
                    wanted = take(cluster, answer) and wanted
            for cluster in [name for name, node in awaited.items() if self._members.gone(node)]:
                del awaited[cluster]
                lost[cluster] = "its Flower node is not connected any more"
            if not awaited or not wanted:
                return lost
            if self.now() >= until:
                return {**lost, **dict.fromkeys(awaited, f"no answer by {until:%H:%M:%S} UTC")}
            self.account.say(waiting(what, awaited, since, until), phase="Running")
            self.wait(POLL)

    def _add(self, fold: Fold, parts: dict[str, ClusterRound], number: int, cluster: str, answer: Answer) -> str | None:
        """The cluster's update goes into the sum, once; or the reason why not."""
        if not isinstance(answer, Trained | Failure):
            return f"it answered an order to train with {type(answer).__name__}"
        upload = self.exchange.upload(number, cluster)
        if reason := rounds.refusal(number, answer, upload):
            return reason
        assert upload is not None and isinstance(answer, Trained)  # noqa: S101, PT018  else it was refused
        try:
            fold.add(upload.path, upload.examples)
        except Refused as error:
            return str(error)
        parts[cluster] = ClusterRound(
            loss=answer.loss,
            examples=upload.examples,
            seconds=answer.seconds,
            bytes_in=upload.size,
            bytes_out=self.exchange.sent(number, cluster),
        )
        return None

    def _profiles(self, adapter: Path, digest: str, ready: Mapping[str, int]) -> None:
        last = self.settings.server.rounds
        until = min(self.now() + self.settings.server.round_timeout, self.settings.deadline)
        self.exchange.open(last + 1, adapter, digest, self._layout, ready.keys(), uploads=False)
        answers = dict[str, Answer]()

        def take(cluster: str, answer: Answer) -> bool:
            answers[cluster] = answer
            self.account.cluster(cluster, **_shared(answer))
            return True

        order = ProfileOrder(run=self.settings.run, round=last, digest=digest)
        unheard = self._ask(order, "the profiles", ready, until, take)
        for cluster, reason in unheard.items():
            self.account.cluster(cluster, phase="Failed", reason=reason)
        shared = any(isinstance(answer, Profiled) and answer.shared for answer in answers.values())
        failures = dict(unheard) | {name: rounds.said(answer) for name, answer in answers.items() if isinstance(answer, Failure)}
        if shared:
            profile = self.general_profile()
            self.state.write("general_profile.json", profile)
            self.account.say("the profiles are fused", profile=sha256(profile).hexdigest())
        elif failures:
            raise Failed(f"the model is saved, but no cluster shared a profile: {rounds.reasons(failures)}")
        else:  # what was asked for was done: no cluster has as many posts as spec.profiles.minPosts demands
            refused = {name: _shared(answer)["reason"] for name, answer in answers.items()}
            self.account.say("there was no profile to fuse", fused=f"no cluster shared a profile: {rounds.reasons(refused)}")


def _after(answer: Answer, number: int, reason: str | None) -> dict[str, object]:
    if reason or not isinstance(answer, Trained):
        return {"phase": "Failed", "reason": reason or ""}
    return {"phase": "Trained", "reason": "", "last_round": number, "loss": answer.loss}


def _shared(answer: Answer) -> dict[str, str]:
    if isinstance(answer, Profiled):
        return {"phase": "Profiled", "reason": "; ".join(f"{platform}: {why}" for platform, why in answer.refused.items())}
    return {"phase": "Failed", "reason": rounds.said(answer) if isinstance(answer, Failure) else "it answered another order"}
