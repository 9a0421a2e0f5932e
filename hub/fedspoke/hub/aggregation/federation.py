"""One federation from the first node to the shared profiles: the loop around the decisions of rounds.py.

It speaks to the clusters through `Nodes` and finds their adapters in the exchange, so a test drives it with lists.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from fedspoke.api.errors import Failed, Refused
from fedspoke.api.records import (
    AggregatorSettings,
    ClusterRound,
    Failure,
    Finished,
    FinishOrder,
    GeneralProfile,
    Trained,
    TrainOrder,
)
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

    def __post_init__(self) -> None:
        self._members = Members(self.settings, self.nodes, self.exchange.tickets)

    def run(self) -> None:
        """To the saved model and, if they are wanted, the fused profiles.

        Raises:
            Failed: it cannot be completed; the sentence says why.
        """
        wanted, last = self.settings.server.rounds, self.state.last()
        ready: Mapping[str, int] = {}
        if last and last.round >= wanted and not self.settings.profiles:  # restarted, and nobody is left to ask
            path, digest = self.state.checkpoint(last.round), last.digest
            self.account.say("all rounds were done before", round=last.round)
        else:
            path, digest, ready = self._train()
        self.state.save(path, self.settings)
        self.account.say("the model is saved", model=digest)
        if self.settings.profiles:
            self._profiles(path, digest, ready)
        self.account.say(f"{wanted} rounds are done, the model is saved", phase="Completed")

    def _train(self) -> tuple[Path, str, Mapping[str, int]]:
        """All rounds that are not done yet: the final adapter, its digest, and who is ready after them."""
        server = self.settings.server
        ready = self._gather(max(server.min_available_clients, server.quorum))
        done, path, digest = self.state.start(self._layout, self.settings)
        self.account.say("the clusters that are needed are ready", round=done)
        for number in range(done + 1, server.rounds + 1):
            path, digest = self._round(number, path, digest, ready)
            ready = self._gather(server.quorum) if number < server.rounds or self.settings.profiles else {}
        return path, digest, ready

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
                raise Failed(rounds.shortage("the federation", need, clusters, {**standing.failed, **late}) + self._unheard())
            if len(standing.ready) >= need:
                self._layout = standing.layout
                return standing.ready
            what = f"{need - len(standing.ready)} more of the {need} clusters that are needed to be ready"
            self.account.say(waiting(what, awaited, since, self.settings.deadline) + self._unheard())
            self.wait(POLL)

    def _unheard(self) -> str:
        reason = self._members.unheard()
        return f"; an answer counts for no cluster: {reason}" if reason else ""

    def _round(self, number: int, start: Path, digest: str, ready: Mapping[str, int]) -> tuple[Path, str]:
        began, quorum = self.now(), self.settings.server.quorum
        until = min(began + self.settings.server.round_timeout, self.settings.deadline)
        self.exchange.open(number, start, digest, self._layout, ready.keys())
        order = TrainOrder(run=self.settings.run, until=until, round=number, digest=digest)
        posts = {cluster: sum(self._members.posts(node).values()) for cluster, node in ready.items()}
        fold, parts, refused = Fold(self._layout), dict[str, ClusterRound](), dict[str, str]()
        for cluster in ready:
            self.account.cluster(cluster, phase="Training", reason="")
        for news in self._ask(order, f"the training of round {number}", ready):
            for cluster, answer in news.items():
                reason = self._add(fold, parts, number, cluster, posts[cluster], answer)
                if reason:
                    refused[cluster] = reason
                self.account.cluster(cluster, **_after(answer, number, reason))
            if rounds.hopeless(ready, refused, quorum):
                break
        self.exchange.close(number)
        if len(parts) < quorum:
            raise Failed(rounds.shortage(f"round {number}", quorum, ready, refused))
        path = self.state.checkpoint(number)
        record = rounds.summary(number, fold.mean(path), (self.now() - began).total_seconds(), parts, refused)
        self.state.add(record)
        self.account.say(f"round {number} of {self.settings.server.rounds} is done", phase="Running", round=number)
        return path, record.digest

    def _ask(self, order: TrainOrder | FinishOrder, what: str, ready: Mapping[str, int]) -> Iterator[Mapping[str, Answer | str]]:
        """Sends the order to all. Each look at what came gives the clusters' answers, or why one will not come, until all are
        heard or the order's time is up; whoever has heard enough does not ask for more.
        """
        since, awaited = self.now(), dict(ready)
        for node in ready.values():
            self.nodes.ask(node, order)
        while awaited:
            answers = {node: answer for node, answered, answer in self._members.look() if answered == order}
            late = self.now() >= order.until
            news = dict[str, Answer | str]()
            for cluster, node in awaited.items():
                if node in answers:
                    news[cluster] = answers[node]
                elif self._members.gone(node):
                    news[cluster] = "its Flower node is not connected any more"
                elif late:
                    news[cluster] = (
                        f"no answer by {order.until:%H:%M:%S} UTC, the end of spec.server.roundTimeout or spec.deadline"
                    )
            yield news
            awaited = {cluster: node for cluster, node in awaited.items() if cluster not in news}
            if awaited:
                self.account.say(waiting(what, awaited, since, order.until), phase="Running")
                self.wait(POLL)

    def _add(
        self, fold: Fold, parts: dict[str, ClusterRound], number: int, cluster: str, posts: int, answer: Answer | str
    ) -> str | None:
        """The cluster's update goes into the sum, once; or the reason why not."""
        if isinstance(answer, str):
            return answer
        if not isinstance(answer, Trained | Failure):
            return f"it answered an order to train with {type(answer).__name__}"
        upload = self.exchange.upload(number, cluster)
        if reason := rounds.refusal(number, posts, answer, upload):
            return reason
        assert upload is not None and isinstance(answer, Trained)  # noqa: S101, PT018  else it was refused
        try:
            fold.add(upload.path, upload.examples)
        except Refused as error:
            return str(error)
        except Failed as error:
            raise Failed(f"round {number} is lost, as its sum holds a part of {cluster}'s adapter: {error}") from error
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
        order = FinishOrder(run=self.settings.run, until=until, round=last, digest=digest)
        answers = dict[str, Answer | str]()
        for news in self._ask(order, "the profiles", ready):
            answers |= news
            for cluster, answer in news.items():
                self.account.cluster(cluster, **_shared(answer))
        shared = any(isinstance(answer, Finished) and answer.shared for answer in answers.values())
        failures = {name: _shared(answer)["reason"] for name, answer in answers.items() if not isinstance(answer, Finished)}
        if shared:
            profile = self.general_profile()
            self.state.write("general_profile.json", profile)
            left = GeneralProfile.model_validate_json(profile).left_out
            out = f"left out of the general profile: {rounds.reasons(left)}" if left else ""
            self.account.say("the profiles are fused", profile=sha256(profile).hexdigest(), fused=out)
        elif failures:
            raise Failed(f"the model is saved, but no cluster shared a profile: {rounds.reasons(failures)}")
        else:  # what was asked for was done: no cluster has as many posts as spec.profiles.minPosts demands
            refused = {name: _shared(answer)["reason"] for name, answer in answers.items()}
            self.account.say("there was no profile to fuse", fused=f"no cluster shared a profile: {rounds.reasons(refused)}")


def _after(answer: Answer | str, number: int, reason: str | None) -> dict[str, object]:
    if reason or not isinstance(answer, Trained):
        return {"phase": "Failed", "reason": reason or ""}
    return {"phase": "Trained", "reason": "", "last_round": number, "loss": answer.loss}


def _shared(answer: Answer | str) -> dict[str, str]:
    match answer:
        case Finished():
            return {"phase": "Finished", "reason": "; ".join(f"{platform}: {why}" for platform, why in answer.refused.items())}
        case Failure():
            return {"phase": "Failed", "reason": rounds.said(answer)}
        case str():
            return {"phase": "Failed", "reason": answer}
        case _:
            return {"phase": "Failed", "reason": "it answered another order"}
