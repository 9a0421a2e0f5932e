"""What the agent makes known: claims on its own cluster, which OCM carries to the hub, and a score that it writes there."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from fedspoke.agent.declared import VALID, difference, placement_score, placement_status
from fedspoke.api.base import Object
from fedspoke.api.errors import Failed
from fedspoke.kube.client import Kind, Kubernetes, reference
from fedspoke.manifestworks.collaborator import AGENT

log = logging.getLogger("fedspoke")

_CLAIM = Kind("cluster.open-cluster-management.io/v1alpha1", "ClusterClaim")
_ROLE = Kind("rbac.authorization.k8s.io/v1", "ClusterRole")


def publish(kube: Kubernetes, claims: Mapping[str, str]) -> None:
    """Bring the cluster's claims up to date.

    Raises:
        Failed: the API server does not let us.
    """
    there = kube.all(_CLAIM)
    change = difference(claims, there, {})
    if change.apply:  # only then is it asked with whom they go
        change = difference(claims, there, _owner(kube))
    for it in change.apply:
        kube.apply(it)
        log.info("claimed: %s is %s", it["metadata"]["name"], it["spec"]["value"])
    for it in change.delete:
        kube.delete(it)
        log.info("claimed no longer: %s", it["metadata"]["name"])


def _owner(kube: Kubernetes) -> Object:
    """The agent's ClusterRole: a claim belongs to no namespace, and so must what it goes with."""
    role = kube.get(_ROLE, AGENT)
    if role is None:
        raise Failed(f"there is no ClusterRole {AGENT}, which comes with the agent")
    return reference(role)


@dataclass(slots=True)
class Scores:
    """The cluster's AddOnPlacementScore on the hub, which is asked under the name that OCM's agent got for us."""

    cluster: str
    kubeconfig: Path
    """For the hub. OCM's agent puts it there once the hub has approved ours; until then the add-on's conditions say so."""
    values: Mapping[str, int] = field(default_factory=dict)
    """What is to be written next; nothing as long as nothing is known."""
    _written: Mapping[str, int] = field(default_factory=dict, init=False)
    _at: datetime | None = field(default=None, init=False)

    def write(self, now: datetime) -> None:
        """When it has changed, or is about to count no more.

        Raises:
            Failed: the hub does not answer or does not let us.
        """
        values = dict(self.values)
        fresh = self._at is not None and now - self._at < VALID / 3
        if not values or (fresh and values == self._written) or not self.kubeconfig.exists():
            return
        hub = Kubernetes.of_file(self.kubeconfig)  # each time anew, as its certificate is
        hub.merge(placement_score(self.cluster), {"status": placement_status(values, now)}, "status")
        self._written, self._at = values, now
