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
from fedspoke.hub.aggregation.combine import Update, combine
from fedspoke.hub.aggregation.exchange import Exchange, Upload
from fedspoke.hub.aggregation.members import Answer, Members, Nodes
from fedspoke.hub.aggregation.progress import Account, waiting
from fedspoke.hub.aggregation.state import State
from fedspoke.hub.aggregation.terms import Terms, terms

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
        given = self._terms(ready, start, digest)
        self.exchange.open(number, given)
        run = self.settings.run
        orders = {name: TrainOrder(run=run, until=until, round=number, digest=own.digest) for name, own in given.items()}
        posts = {cluster: sum(self._members.posts(node).values()) for cluster, node in ready.items()}
        parts, updates, refused = dict[str, ClusterRound](), list[Update](), dict[str, str]()
        for cluster in ready:
            self.account.cluster(cluster, phase="Training", reason="")
        for news in self._ask(orders, f"the training of round {number}", ready):
            for cluster, answer in news.items():
                upload = self.exchange.upload(number, cluster)
                reason = _refusal(number, posts[cluster], answer, upload)
                if reason:
                    refused[cluster] = reason
                elif upload and isinstance(answer, Trained):
                    updates.append(Update(cluster, upload.path, upload.examples, given[cluster].upload))
                    parts[cluster] = ClusterRound(
                        loss=answer.loss,
                        examples=upload.examples,
                        seconds=answer.seconds,
                        bytes_in=upload.size,
                        bytes_out=self.exchange.sent(number, cluster),
                    )
                self.account.cluster(cluster, **_after(answer, number, reason))
            if rounds.hopeless(ready, refused, quorum):
                break
        self.exchange.close(number)
        if len(parts) < quorum:
            raise Failed(rounds.shortage(f"round {number}", quorum, ready, refused))
        path = self.state.checkpoint(number)
        try:
            made = combine(self.settings.server.aggregation, self._layout, start, updates, path)
        except Refused as error:
            raise Failed(f"round {number}: {error}") from error
        record = rounds.summary(number, made.digest, (self.now() - began).total_seconds(), parts, refused, made.lora_bias)
        self.state.add(record)
        self.account.say(f"round {number} of {self.settings.server.rounds} is done", phase="Running", round=number)
        return path, record.digest

    def _ask(
        self, orders: Mapping[str, TrainOrder] | Mapping[str, FinishOrder], what: str, ready: Mapping[str, int]
    ) -> Iterator[Mapping[str, Answer | str]]:
        """Sends each cluster its order. Each look at what came gives the clusters' answers, or why one will not come, until all
        are heard or the orders' time is up; whoever has heard enough does not ask for more.
        """
        since, awaited = self.now(), dict(ready)
        until = next(order.until for order in orders.values())
        for cluster, node in ready.items():
            self.nodes.ask(node, orders[cluster])
        while awaited:
            answers = {(node, order): answer for node, order, answer in self._members.look()}
            late = self.now() >= until
            news = dict[str, Answer | str]()
            for cluster, node in awaited.items():
                if (node, orders[cluster]) in answers:
                    news[cluster] = answers[node, orders[cluster]]
                elif self._members.gone(node):
                    news[cluster] = "its Flower node is not connected any more"
                elif late:
                    news[cluster] = f"no answer by {until:%H:%M:%S} UTC, the end of spec.server.roundTimeout or spec.deadline"
            yield news
            awaited = {cluster: node for cluster, node in awaited.items() if cluster not in news}
            if awaited:
                self.account.say(waiting(what, awaited, since, until), phase="Running")
                self.wait(POLL)

    def _terms(self, ready: Mapping[str, int], adapter: Path, digest: str) -> dict[str, Terms]:
        return terms(ready, self.settings.server.aggregation, self.settings.lora, self._layout, adapter, digest)

    def _profiles(self, adapter: Path, digest: str, ready: Mapping[str, int]) -> None:
        last = self.settings.server.rounds
        until = min(self.now() + self.settings.server.round_timeout, self.settings.deadline)
        given = self._terms(ready, adapter, digest)
        self.exchange.open(last + 1, given, uploads=False)
        run = self.settings.run
        orders = {name: FinishOrder(run=run, until=until, round=last, digest=own.digest) for name, own in given.items()}
        answers = dict[str, Answer | str]()
        for news in self._ask(orders, "the profiles", ready):
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


def _refusal(number: int, posts: int, answer: Answer | str, upload: Upload | None) -> str | None:
    """Why the answer puts nothing into the round's result; None when its update counts."""
    if isinstance(answer, str):
        return answer
    if not isinstance(answer, Trained | Failure):
        return f"it answered an order to train with {type(answer).__name__}"
    return rounds.refusal(number, posts, answer, upload)


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
