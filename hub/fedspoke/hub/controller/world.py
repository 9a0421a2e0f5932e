"""One look at all that a federation depends on: read from the API server here, judged in seen.py."""

from collections.abc import Iterable
from dataclasses import dataclass

from fedspoke.api.base import Object
from fedspoke.api.federated_learning import FederatedLearning
from fedspoke.api.names import FEDERATED_LEARNING, LONGEST_LABEL, run_name
from fedspoke.hub.controller import kinds
from fedspoke.hub.controller.shared import Shared
from fedspoke.kube.client import Kubernetes
from fedspoke.placement.fleet import PLACEMENT_LABEL, Fleet


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The live objects."""

    fleet: Fleet
    """With the PlacementDecisions of this federation alone."""
    owned: tuple[Object, ...]
    """All that bears the federation's label, in its own namespace."""
    claims: tuple[Object, ...]
    """The volume claim that the user names, if it is there."""
    works: tuple[Object, ...]
    """Its ManifestWorks, one in each cluster's namespace."""
    pods: tuple[Object, ...]
    """The aggregator's."""
    events: tuple[Object, ...]
    """Warnings of the namespace's pods, while one of the aggregator's has not started."""
    nodes: tuple[Object, ...]
    pull_secrets: tuple[Object, ...] = ()
    """What pods of the namespace pull images with, if they name no service account."""

    def named(self, kind: str, name: str) -> Object | None:
        """One of the owned objects."""
        return next((it for it in self.owned if (it["kind"], it["metadata"]["name"]) == (kind, name)), None)


def look(kube: Kubernetes, shared: Shared, fl: FederatedLearning) -> World:
    """Everything at once, of which `shared` may be some seconds older.

    Raises:
        Failed: the API server does not answer, or does not let us, or knows no OCM.
    """
    ours, named = {FEDERATED_LEARNING: run_name(fl.namespace, fl.name)}, fl.spec.server.storage.name
    pods = tuple(kube.all(kinds.POD, fl.namespace, ours))
    pending = any((it.get("status") or {}).get("phase") == "Pending" for it in pods)
    default = kube.all(kinds.SERVICE_ACCOUNT, fl.namespace, fields={"metadata.name": "default"})
    warnings = {"involvedObject.kind": "Pod", "type": "Warning"}
    clusters = shared.all(kinds.CLUSTER)  # first: where it is missing, so is all of OCM
    theirs = tuple(works(kube, fl.namespace, fl.name))
    decisions = tuple(kube.all(kinds.DECISION, fl.namespace, {PLACEMENT_LABEL: fl.name}))
    if outdated(clusters, decisions, theirs):
        clusters = shared.all(kinds.CLUSTER, since=shared.now())
    return World(
        fleet=Fleet(
            clusters=clusters,
            sets=shared.all(kinds.CLUSTER_SET),
            bindings=tuple(kube.all(kinds.BINDING, fl.namespace)),
            scores=shared.all(kinds.SCORE),
            decisions=decisions,
        ),
        owned=tuple(owned(kube, fl.namespace, fl.name)),
        claims=tuple(kube.all(kinds.CLAIM, fl.namespace, fields={"metadata.name": named}) if named else ()),
        works=theirs,
        pods=pods,
        events=tuple(kube.all(kinds.EVENT, fl.namespace, fields=warnings)) if pending else (),
        nodes=shared.all(kinds.NODE),
        pull_secrets=tuple(secret for it in default for secret in it.get("imagePullSecrets") or ()),
    )


def outdated(clusters: Iterable[Object], decisions: Iterable[Object], works: Iterable[Object]) -> bool:
    """Whether OCM has decided by what these clusters, which were read before, do not show.

    It chose one that is new, or none any more that is at work and shows no taint: what is away keeps its work, if it is seen so.
    """
    tainted = {it["metadata"]["name"]: bool((it.get("spec") or {}).get("taints")) for it in clusters}
    chosen = {each["clusterName"] for it in decisions for each in (it.get("status") or {}).get("decisions") or []}
    at_work = {it["metadata"]["namespace"] for it in works if "deletionTimestamp" not in it["metadata"]}
    return not chosen <= tainted.keys() or any(not tainted.get(it) for it in at_work - chosen)


def owned(kube: Kubernetes, namespace: str, name: str) -> list[Object]:
    """All that one federation has in its own namespace."""
    ours = run_name(namespace, name)
    if len(ours) > LONGEST_LABEL:  # nothing bears it, and nobody may ask for it
        return []
    return [it for kind in kinds.OWNED for it in kube.all(kind, namespace, {FEDERATED_LEARNING: ours})]


def works(kube: Kubernetes, namespace: str, name: str) -> list[Object]:
    """Its ManifestWorks, one in each cluster's namespace."""
    ours = run_name(namespace, name)
    return kube.all(kinds.WORK, labels={FEDERATED_LEARNING: ours}) if len(ours) <= LONGEST_LABEL else []
