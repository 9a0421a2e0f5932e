"""How OCM decides: a world put on an API server, and what the placement controller says of each Placement, once it is at rest.

The controller starts when the whole fleet is there and reads all of it first, so that it never decides over half a world.
After each of its own writes it decides again, with its own decision as an earlier one; it is at rest when its last event about a
PlacementDecision names the very versions of both objects that the API server has. What the controller had not read yet then,
such as that it deleted a decision, shows in no version: `tests/e2e/README.md` says what comes of that.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fedspoke.api.base import Object
from fedspoke.placement.fleet import PLACEMENT_LABEL
from support.fleet import ocm
from support.fleet.apiserver import ApiServer
from support.fleet.kubernetes import Kind, Kubernetes
from support.fleet.processes import Process
from support.fleet.wait import until
from support.placements import World

_GROUP = "cluster.open-cluster-management.io"
_EVENT = Kind("events.k8s.io/v1", "events")
_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Answer:
    """What is decided of a Placement.

    `conditions` has status, reason and message by type; `objects` has, by the name of each PlacementDecision, its group's index
    and name and its clusters in their order; `scores` has the totals of the clusters that qualify, chosen or not, and is
    None where OCM does not say them. With `merged`, they may be those of an earlier decision.
    """

    conditions: dict[str, tuple[str, str, str]]
    objects: dict[str, tuple[int, str, tuple[str, ...]]]
    scores: dict[str, int] | None
    merged: bool = False


@dataclass(frozen=True, slots=True)
class Hub:
    """An API server with OCM's kinds, and a folder for what its controller writes."""

    server: ApiServer
    folder: Path

    @contextmanager
    def holding(self, world: World) -> Iterator["Controller"]:
        """A world, and nothing of the one before it, with the controller at work in it."""
        _purge(self.server.kubernetes)
        _load(self.server.kubernetes, world)
        with ocm.placement_controller(self.server, self.folder) as process:
            yield Controller(self.server.kubernetes, process)


@dataclass(frozen=True, slots=True)
class Controller:
    """OCM's placement controller at work in a world."""

    kubernetes: Kubernetes
    process: Process

    def decisions(self) -> tuple[Object, ...]:
        """All PlacementDecisions there are."""
        return tuple(self.kubernetes.all(ocm.DECISION))

    def decide(self, placement: Object) -> Answer:
        """What comes of a Placement.

        Raises:
            Invalid: the API server does not take it.
            Failed: the controller does not come to rest, or ends.
        """
        self.kubernetes.create(ocm.PLACEMENT, placement)
        metadata = placement["metadata"]
        what = f"OCM is at rest about Placement {metadata['name']}"
        return until(what, lambda: self._answer(metadata["name"], metadata["namespace"]), _SECONDS, [self.process])

    def _answer(self, name: str, namespace: str) -> Answer | None:
        # Events first: what the controller still changed after them shows in versions that they do not name.
        events = {
            (event["regarding"]["resourceVersion"], event["related"]["name"], event["related"]["resourceVersion"]): event
            for event in self.kubernetes.all(_EVENT, namespace, fields=f"regarding.name={name},reason=ScoreUpdate")
        }
        decisions = self.kubernetes.all(ocm.DECISION, namespace, f"{PLACEMENT_LABEL}={name}")
        placement = self.kubernetes.get(ocm.PLACEMENT, name, namespace)
        version = placement["metadata"]["resourceVersion"]
        last = [(version, each["metadata"]["name"], each["metadata"]["resourceVersion"]) for each in decisions]
        if not _complete(placement, decisions) or not all(event in events for event in last):
            return None
        event = events[last[0]] if last else None
        # A series of events keeps what the first of them said.
        merged = bool(event and event.get("series"))
        return Answer(_conditions(placement), _objects(decisions), _scores(event) if event else None, merged)


def _complete(placement: Object, decisions: list[Object]) -> bool:
    """Whether a Placement's status is there and names just these PlacementDecisions."""
    groups = placement.get("status", {}).get("decisionGroups")
    named = {name for group in groups or [] for name in group["decisions"]}
    return groups is not None and named == {each["metadata"]["name"] for each in decisions}


def _conditions(placement: Object) -> dict[str, tuple[str, str, str]]:
    return {it["type"]: (it["status"], it["reason"], it["message"]) for it in placement["status"]["conditions"]}


def _objects(decisions: list[Object]) -> dict[str, tuple[int, str, tuple[str, ...]]]:
    found = {}
    for decision in decisions:
        labels = decision["metadata"]["labels"]
        clusters = tuple(chosen["clusterName"] for chosen in decision.get("status", {}).get("decisions", []))
        group = int(labels[f"{_GROUP}/decision-group-index"]), labels[f"{_GROUP}/decision-group-name"]
        found[decision["metadata"]["name"]] = (*group, clusters)
    return found


def _scores(event: Object) -> dict[str, int] | None:
    """The totals as the event has them, "a:100 b:-20 "; None where they were cut at a thousand characters, and end in dots."""
    note = event.get("note", "")
    if note.endswith("..."):
        return None
    return {name: int(score) for name, _, score in (each.rpartition(":") for each in note.split())}


def _purge(kubernetes: Kubernetes) -> None:
    for cluster in kubernetes.all(ocm.CLUSTER):
        if cluster["metadata"].get("finalizers"):
            kubernetes.merge(ocm.CLUSTER, cluster["metadata"]["name"], {"metadata": {"finalizers": None}})
    for kind in (*ocm.KINDS, _EVENT):
        namespaces = {each["metadata"]["namespace"] for each in kubernetes.all(kind)} if kind.namespaced else {None}
        for namespace in namespaces:
            kubernetes.delete_all(kind, namespace)


def _load(kubernetes: Kubernetes, world: World) -> None:
    for namespace in world.namespaces:
        kubernetes.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    fleet = world.fleet
    for cluster in fleet.clusters:
        going = cluster["metadata"].get("deletionTimestamp")
        kubernetes.create(ocm.CLUSTER, cluster)
        if going:
            kubernetes.delete(ocm.CLUSTER, cluster["metadata"]["name"])
    for kind, documents in (
        (ocm.CLUSTER_SET, fleet.sets),
        (ocm.BINDING, fleet.bindings),
        (ocm.SCORE, fleet.scores),
        (ocm.DECISION, fleet.decisions),
    ):
        for document in documents:
            kubernetes.create(kind, document)
