"""A hub that keeps lists, with its controller: a test says what happens on it, and asks what the controller made of it."""

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from fedspoke.api.base import Object
from fedspoke.api.names import FEDERATED_LEARNING, run_name
from fedspoke.api.records import ClusterRound, Progress, RoundRecord
from fedspoke.hub import reporter
from fedspoke.hub.addon.signer import Authority
from fedspoke.hub.controller import kinds
from fedspoke.hub.controller.converge import Controller
from fedspoke.hub.trust import Trust
from fedspoke.kube.client import Kind
from support import build
from support.kube import Lists

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
AUTHORITY = Authority.create("test", now=NOW, lifetime=timedelta(days=365))
TRUST = Trust(authority=AUTHORITY, bundle=AUTHORITY.certificate_pem, hub="hub-1")

FL, NAMESPACE = "social", "default"
_LOOKS = 20


def node(name: str = "node1", *, ready: bool = True, **addresses: str) -> Object:
    """A node of the hub; `node(ExternalIP="192.0.2.7")`."""
    given = addresses or {"InternalIP": "192.0.2.7"}
    status = {
        "conditions": [{"type": "Ready", "status": str(ready)}],
        "addresses": [{"type": kind, "address": address} for kind, address in given.items()],
    }
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "status": status}


@dataclass(slots=True)
class Hub:
    """Two clusters with Facebook's data and one that has none, one node, and the federations that are given."""

    kube: Lists
    now: datetime = NOW
    controller: Controller = field(init=False)

    def __post_init__(self) -> None:
        self.controller = Controller(self.kube, TRUST)
        self.controller.shared.lasts = 0  # what a test does is seen at the next look

    @classmethod
    def with_federation(cls, *others: Object, lacks: Sequence[Kind] = (), **spec: Any) -> "Hub":
        spec = {"server": {"minAvailableClients": 2}, "client": CLIENT} | spec
        clusters = [build.cluster(name, labels=build.labelled("facebook")) for name in ("berlin", "lyon")]
        asked = build.federated_learning(FL, NAMESPACE, **spec)
        return cls(Lists(*clusters, build.cluster("oslo"), build.cluster_set(), node(), asked, *others, lacks=lacks))

    @classmethod
    def running(cls, **spec: Any) -> "Hub":
        """Both clusters are chosen, and what they run has been applied."""
        hub = cls.with_federation(**spec)
        hub.choose("berlin", "lyon")
        hub.converge()
        hub.pod(RUNS)
        hub.settle()
        return hub

    def converge(self, after: timedelta = timedelta(0), name: str = FL) -> timedelta | None:
        self.now += after
        return self.controller.converge(NAMESPACE, name, self.now)

    def settle(self, name: str = FL) -> None:
        """Until a look changes nothing."""
        for _ in range(_LOOKS):
            before = len(self.kube.writes)
            self.converge(timedelta(seconds=1), name)
            if len(self.kube.writes) == before:
                return
        raise AssertionError(f"the controller does not come to rest; it wrote {self.kube.writes[-5:]}")

    def collect(self) -> None:
        """Kubernetes' garbage collector takes away what no owner is left of."""
        while gone := [key for key, it in self.kube.objects.items() if _orphaned(it, self.kube.objects.values())]:
            for key in gone:
                del self.kube.objects[key]

    def writes(self) -> list[str]:
        """What the controller has written since it was asked last."""
        written = [" ".join(it) for it in self.kube.writes]
        self.kube.writes.clear()
        return written

    def choose(self, *clusters: str, name: str = FL) -> None:
        """OCM's placement controller decides."""
        self.put(build.decided(name, *clusters, namespace=NAMESPACE))

    def tells(self, phase: str = "Running", *, rounds: int = 0, attempt: str | None = None, **said: Any) -> None:
        """The aggregator's reporter writes how it goes."""
        begun = datetime.fromisoformat(self.status()["startTime"]).isoformat()
        progress = Progress.model_validate(
            {"attempt": begun if attempt is None else attempt, "phase": phase, "message": f"{phase}: it says", "round": rounds}
            | said
        )
        part = ClusterRound(loss=2.0, examples=8, seconds=1.0, bytes_in=100, bytes_out=50)
        records = [
            RoundRecord(round=each + 1, digest="0" * 64, loss=2.0, seconds=1.5, clusters=dict.fromkeys(("berlin", "lyon"), part))
            for each in range(rounds)
        ]
        lines = "".join(f"{it.model_dump_json(by_alias=True)}\n" for it in records)
        told = {reporter.PROGRESS: progress.model_dump_json(by_alias=True), reporter.ROUNDS: lines}
        self.change(kinds.CONFIG_MAP, f"{FL}-progress", data=told)
        self.heard()

    def heard(self) -> None:
        """The aggregator's reporter gives a sign of life."""
        name = f"{FL}-progress"
        told = self.kube.objects[*kinds.CONFIG_MAP, NAMESPACE, name].get("data") or {}
        self.change(kinds.CONFIG_MAP, name, data=told | {reporter.HEARD: f"{self.now:%Y-%m-%dT%H:%M:%SZ}"})

    def completes(self) -> None:
        """The federation ends well, and what ran has been taken away."""
        self.tells("Completed", rounds=3, model="a" * 64, profile="b" * 64)
        self.settle()

    def fails(self) -> None:
        self.tells("Failed", rounds=1)
        self.settle()

    def pod(self, status: Object, name: str = "pod1", made: str = "2026-11-21T12:00:00Z") -> None:
        """The aggregator's."""
        metadata = {"name": name, "namespace": NAMESPACE, "labels": {FEDERATED_LEARNING: run_name(NAMESPACE, FL)}}
        self.put(
            {"apiVersion": "v1", "kind": "Pod", "metadata": metadata | {"creationTimestamp": made}, "spec": {}, "status": status}
        )

    def put(self, it: Object) -> None:
        """Somebody else writes an object."""
        self.kube.keep(it)

    def change(self, kind: Kind, name: str, namespace: str = NAMESPACE, **fields: Any) -> None:
        """Somebody else changes some fields of an object."""
        found = self.kube.objects[*kind, namespace, name]
        self.put(copy.deepcopy(found | fields))

    def asks(self, **spec: Any) -> None:
        """The user changes the spec."""
        self.change(kinds.FEDERATED_LEARNING, FL, spec=self.federation()["spec"] | spec)

    def annotate(self, **annotations: str) -> None:
        metadata = self.federation()["metadata"]
        self.change(kinds.FEDERATED_LEARNING, FL, metadata=metadata | {"annotations": annotations})

    def federation(self, name: str = FL) -> Object:
        return copy.deepcopy(self.kube.objects[*kinds.FEDERATED_LEARNING, NAMESPACE, name])

    def status(self, name: str = FL) -> Object:
        found: Object = self.federation(name).get("status") or {}
        return found

    def message(self) -> str:
        said: str = self.status()["message"]
        return said

    def condition(self, kind: str) -> tuple[str, str]:
        """Its status and message."""
        (found,) = [it for it in self.status()["conditions"] if it["type"] == kind]
        return found["status"], found["message"]

    def has(self, kind: Kind, name: str, namespace: str = NAMESPACE) -> bool:
        return (*kind, namespace, name) in self.kube.objects

    def names(self, kind: Kind) -> list[str]:
        return sorted(name for (version, each, _, name) in self.kube.objects if (version, each) == kind)

    def works(self) -> list[str]:
        """The clusters that have one."""
        return sorted(where for (version, each, where, _) in self.kube.objects if (version, each) == kinds.WORK)

    def events(self) -> list[str]:
        """What was told, in its order."""
        found = sorted(self.kube.all(kinds.EVENT), key=lambda it: int(it["metadata"]["resourceVersion"]))
        return [f"{it['type']} {it['reason']}" for it in found]


def _orphaned(it: Object, there: Iterable[Object]) -> bool:
    owners = {each["uid"] for each in it["metadata"].get("ownerReferences") or []}
    return bool(owners) and not owners & {each["metadata"]["uid"] for each in there}


RUNS: Object = {
    "phase": "Running",
    "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": f"{NOW:%Y-%m-%dT%H:%M:%SZ}"}],
}
"""How a pod stands whose containers run."""
CLIENT: Object = {"data": {"platforms": ["facebook"]}, "placement": {"clusterSets": ["global"]}}
