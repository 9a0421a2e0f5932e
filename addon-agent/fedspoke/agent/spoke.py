"""Everything that the agent does on one spoke, and how often."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from fedspoke.agent.datasets import best
from fedspoke.agent.declared import claims, score
from fedspoke.agent.gpus import Gpus, gpus
from fedspoke.agent.lease import RENEWED, lease
from fedspoke.agent.publish import Scores, publish
from fedspoke.agent.run import Task
from fedspoke.agent.survey import survey
from fedspoke.agent.tell import tell
from fedspoke.kube.client import Kind, Kubernetes

LOOK = timedelta(seconds=5)
"""Between two looks. OCM's work agent asks for news every 10 s: a sentence is on the hub within 20."""
_COUNT = timedelta(seconds=20)
"""Between two counts of GPUs, for which all pods of the cluster are read where a node has one."""
_SCORE = timedelta(seconds=30)

_NODE, _POD = Kind("v1", "Node"), Kind("v1", "Pod")


@dataclass(slots=True)
class Spoke:
    """One cluster, as its agent sees it."""

    kube: Kubernetes
    namespace: str
    image: str
    """The agent's own, which reads exports, too."""
    scores: Scores
    gpus: Gpus | None = field(default=None, init=False)

    def tasks(self, holder: str) -> list[Task]:
        """What is done, but for the scores: a hub that is away must not stop the rest."""
        return [
            Task(lambda now: self.kube.apply(lease(self.namespace, holder, now)), RENEWED / 2),
            Task(lambda _: tell(self.kube, self.namespace), LOOK),
            Task(lambda _: self.count(), _COUNT),
            Task(self.declare, LOOK),
        ]

    def scoring(self) -> list[Task]:
        """The scores."""
        return [Task(self.scores.write, _SCORE)]

    def count(self) -> None:
        """The GPUs."""
        self.gpus = gpus(self.kube.all(_NODE), self.kube.each(_POD))

    def declare(self, now: datetime) -> None:
        """Look at what is offered, and claim it; nothing as long as the GPUs have not been counted, whose claims would go."""
        seen = survey(self.kube, self.namespace, self.image, now)
        if self.gpus is None:
            return
        data = best(seen.offers, seen.datasets)
        publish(self.kube, claims(data, self.gpus))
        self.scores.values = score(data, self.gpus)
