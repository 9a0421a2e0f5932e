"""One look at all that a federation depends on: read from the API server here, judged in seen.py."""

from dataclasses import dataclass

from fedspoke.api.base import Object
from fedspoke.api.federated_learning import FederatedLearning
from fedspoke.api.names import FEDERATED_LEARNING, LONGEST_LABEL, run_name
from fedspoke.hub.controller import kinds
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


def look(kube: Kubernetes, fl: FederatedLearning) -> World:
    """Everything at once.

    Raises:
        Failed: the API server does not answer, or does not let us, or knows no OCM.
    """
    ours, named = {FEDERATED_LEARNING: run_name(fl.namespace, fl.name)}, fl.spec.server.storage.name
    pods = tuple(kube.all(kinds.POD, fl.namespace, ours))
    pending = any((it.get("status") or {}).get("phase") == "Pending" for it in pods)
    default = kube.all(kinds.SERVICE_ACCOUNT, fl.namespace, fields={"metadata.name": "default"})
    warnings = {"involvedObject.kind": "Pod", "type": "Warning"}
    return World(
        fleet=Fleet(
            clusters=tuple(kube.all(kinds.CLUSTER)),
            sets=tuple(kube.all(kinds.CLUSTER_SET)),
            bindings=tuple(kube.all(kinds.BINDING, fl.namespace)),
            scores=tuple(kube.all(kinds.SCORE)),
            decisions=tuple(kube.all(kinds.DECISION, fl.namespace, {PLACEMENT_LABEL: fl.name})),
        ),
        owned=tuple(owned(kube, fl.namespace, fl.name)),
        claims=tuple(kube.all(kinds.CLAIM, fl.namespace, fields={"metadata.name": named}) if named else ()),
        works=tuple(works(kube, fl.namespace, fl.name)),
        pods=pods,
        events=tuple(kube.all(kinds.EVENT, fl.namespace, fields=warnings)) if pending else (),
        nodes=tuple(kube.all(kinds.NODE)),
        pull_secrets=tuple(secret for it in default for secret in it.get("imagePullSecrets") or ()),
    )


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
