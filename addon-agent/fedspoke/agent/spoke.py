"""Everything that the agent does on one spoke, and how often."""

import logging
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from fedspoke.agent.asked import Owner
from fedspoke.agent.datasets import Counts, best
from fedspoke.agent.declared import claims, score
from fedspoke.agent.gpus import Gpus, gpus
from fedspoke.agent.lease import RENEWED
from fedspoke.agent.models import models
from fedspoke.agent.offers import Offer
from fedspoke.agent.outputs import outputs
from fedspoke.agent.policy import POLICY, policy
from fedspoke.agent.publish import Scores, publish
from fedspoke.agent.run import Task
from fedspoke.agent.start import gateways, start
from fedspoke.agent.survey import Survey, survey
from fedspoke.agent.tell import tell
from fedspoke.agent.tidy import tidy
from fedspoke.agent.watchdog import Watchdog
from fedspoke.agent.withdrawals import Withdrawals
from fedspoke.api.base import Object
from fedspoke.api.errors import Failed, Refused
from fedspoke.api.names import VOLUME, Platform
from fedspoke.kube.client import Kind, Kubernetes

log = logging.getLogger("fedspoke")

LOOK = timedelta(seconds=5)
"""Between two looks. OCM's work agent asks for news every 10 s: a sentence is on the hub within 20."""
_LISTEN = timedelta(seconds=15)
"""Between two signs of life of the hub that are asked for."""
_TAKE_BACK = timedelta(seconds=1)
"""Between two looks whether something is to be taken back, at what is known here: a round may end at any moment."""
_COUNT = timedelta(seconds=20)
"""Between two counts of GPUs, for which all pods of the cluster are read where a node has one."""

_NODE, _POD, _CONFIG_MAP = Kind("v1", "Node"), Kind("v1", "Pod"), Kind("v1", "ConfigMap")
_CLAIM = Kind("v1", "PersistentVolumeClaim")


@dataclass(slots=True)
class Spoke:
    """One cluster, as its agent sees it."""

    kube: Kubernetes
    namespace: str
    image: str
    """The agent's own, which reads exports, too."""
    scores: Scores
    watchdog: Watchdog
    withdrawals: Withdrawals
    gpus: Gpus | None = field(default=None, init=False)
    lost: Mapping[str, str] = field(default_factory=dict, init=False)
    """By federation, why its hub is taken for gone."""
    owner: Owner | None = field(default=None, init=False)
    """What it was seen to offer and allow last."""
    seen: Survey | None = field(default=None, init=False)
    """What was offered when it could last be looked at."""
    refused: Mapping[str, str] = field(default_factory=dict, init=False)
    """By federation, why it does not run here."""
    withdrawn: Set[str] = field(default_factory=frozenset, init=False)
    """Those of them that the owner does not let run."""

    def tasks(self, sign: Callable[[datetime], Object]) -> list[Task]:
        """What is done, but for what a hub is asked: a hub that is away must not stop the rest. `sign` makes a sign of life."""
        return [
            Task(lambda now: self.kube.apply(sign(now)), RENEWED / 2),
            Task(lambda _: self.count(), _COUNT),
            Task(self.declare, LOOK),
            Task(self.tidy, LOOK),
            Task(lambda _: tell(self.kube, self.namespace, self.refused), LOOK),
        ]

    def of_the_hub(self) -> list[Task]:
        """What waits for the hub's answer."""
        return [Task(self.scores.write, LOOK), Task(self.listen, _LISTEN)]

    def of_the_owner(self) -> list[Task]:
        """What the hub has to hear at once, and whatever else it is asked."""
        return [Task(self.take_back, _TAKE_BACK)]

    def count(self) -> None:
        """The GPUs."""
        self.gpus = gpus(self.kube.each(_NODE), self.kube.each(_POD))

    def listen(self, now: datetime) -> None:
        """Whether the federations' hub is still there."""
        self.lost = self.watchdog.look(gateways(self.kube, self.namespace), now)

    def take_back(self, _: datetime) -> None:
        """What was left in an open round for a federation that the owner does not let run."""
        if untold := self.withdrawals.untold(self.withdrawn):
            self.withdrawals.tell(gateways(self.kube, self.namespace), untold)

    def declare(self, now: datetime) -> None:
        """Look at what is offered and allowed, start what is asked for, and claim what is there."""
        failed: Failed | None = None
        try:
            self.seen = survey(self.kube, self.namespace, self.image, now)
        except Failed as error:  # the owner's word counts all the same
            if self.seen is None:
                raise
            failed = error
        self.owner, data = self._owner(self.seen)
        withdrawn = set[str]()
        self.refused = start(self.kube, self.namespace, self.owner, self.lost, withdrawn)
        self.withdrawn = withdrawn
        if self.gpus is not None:  # as long as they have not been counted, their claims would go
            publish(self.kube, claims(data, self.gpus))
            self.scores.values = score(data, self.gpus)
        if failed:
            raise failed

    def tidy(self, now: datetime) -> None:
        """Wipe what federations have left."""
        if self.owner is not None:
            tidy(self.kube, self.namespace, self.image, self.owner, now)

    def _owner(self, seen: Survey) -> tuple[Owner, dict[Platform, tuple[Offer, Counts]]]:
        """What the owner offers and allows, and the datasets that the hub may know of."""
        there = self.kube.get(_CONFIG_MAP, POLICY, self.namespace)
        labelled = self.kube.all(_CLAIM, self.namespace, {VOLUME: None})
        try:
            allowed = policy((there or {}).get("data"))
        except Refused as error:
            log.warning("the ConfigMap %s allows nothing: %s", POLICY, error)
            return Owner(
                offers=seen.offers, policy=None, problem=str(error), outputs=outputs(labelled), models=models(labelled)
            ), {}
        data = {platform: it for platform, it in best(seen.offers, seen.datasets).items() if allowed.shares(platform)}
        best_of = {platform: offer for platform, (offer, _) in data.items()}
        written, read = outputs(labelled), models(labelled)
        return Owner(offers=seen.offers, best=best_of, policy=allowed, outputs=written, models=read), data
