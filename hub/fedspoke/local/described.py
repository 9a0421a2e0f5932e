"""The objects of a hub that files describe, each checked as far as a placement looks at it.

A file is written by hand, so what an API server would not take is refused here, by the name that its author wrote.
"""

import json
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from fedspoke.api.base import Object, Reported
from fedspoke.api.errors import Refused
from fedspoke.api.managed_cluster import ManagedCluster
from fedspoke.api.names import MANAGED_CLUSTER
from fedspoke.api.placement_spec import LabelSelector
from fedspoke.api.problems import nearest, problems
from fedspoke.api.units import Time

_Name = Annotated[str, Field(min_length=1)]


class _Metadata(Reported):
    name: _Name


class _Namespaced(_Metadata):
    namespace: _Name
    labels: dict[str, str] = Field(default_factory=dict)


class _ClusterSelector(Reported):
    selector_type: Literal["ExclusiveClusterSetLabel", "LabelSelector"] = "ExclusiveClusterSetLabel"
    label_selector: LabelSelector | None = None


class _SetSpec(Reported):
    cluster_selector: _ClusterSelector = Field(default_factory=_ClusterSelector)


class _ManagedClusterSet(Reported):
    metadata: _Metadata
    spec: _SetSpec = Field(default_factory=_SetSpec)


class _BindingSpec(Reported):
    cluster_set: _Name


class _ManagedClusterSetBinding(Reported):
    metadata: _Namespaced
    spec: _BindingSpec


class _Score(Reported):
    name: _Name
    value: Annotated[int, Field(ge=-100, le=100)]


class _Scores(Reported):
    scores: list[_Score] = Field(default_factory=list)
    valid_until: Time | None = None


class _AddOnPlacementScore(Reported):
    metadata: _Namespaced
    status: _Scores = Field(default_factory=_Scores)


class _Chosen(Reported):
    cluster_name: str


class _Decisions(Reported):
    decisions: list[_Chosen] = Field(default_factory=list)


class _PlacementDecision(Reported):
    metadata: _Namespaced
    status: _Decisions = Field(default_factory=_Decisions)


_KINDS: dict[str, tuple[str, type[Reported]]] = {
    MANAGED_CLUSTER[1]: (MANAGED_CLUSTER[0], ManagedCluster),
    "ManagedClusterSet": ("cluster.open-cluster-management.io/v1beta2", _ManagedClusterSet),
    "ManagedClusterSetBinding": ("cluster.open-cluster-management.io/v1beta2", _ManagedClusterSetBinding),
    "AddOnPlacementScore": ("cluster.open-cluster-management.io/v1alpha1", _AddOnPlacementScore),
    "PlacementDecision": ("cluster.open-cluster-management.io/v1beta1", _PlacementDecision),
}


_OF_A_CLUSTER = {
    "spec": ("managedClusterClientConfigs", "hubAcceptsClient", "leaseDurationSeconds", "taints"),
    "status": ("conditions", "capacity", "allocatable", "version", "clusterClaims", "managedNamespaces"),
}
"""All fields of OCM's ManagedCluster, beside the few that a placement looks at."""


def doubts(document: Object) -> Iterator[str]:
    """The fields of a checked ManagedCluster that are likely to be typos: none of OCM's, and close to one of them."""
    if document["kind"] != MANAGED_CLUSTER[1]:
        return
    for part, known in _OF_A_CLUSTER.items():
        for key in document.get(part) or {}:
            if key not in known and (meant := nearest(str(key), known, listed=False)):
                yield f"{part}.{key} of ManagedCluster {document['metadata']['name']} is passed over, as it is not a field{meant}"


def check(document: Object) -> bool:
    """Whether a document describes a part of a fleet; one of another kind is none of a placement's business.

    Raises:
        Refused: it is of such a kind and cannot be used.
    """
    kind = document["kind"]
    if kind not in _KINDS:
        return False
    version, model = _KINDS[kind]
    if document["apiVersion"] != version:
        raise Refused(f"{document['apiVersion']} {kind} is not a {kind} of {version}: write apiVersion: {version}")
    try:
        model.model_validate_json(json.dumps(document, default=str), strict=True, by_alias=True, by_name=False)
    except ValidationError as error:
        metadata = document.get("metadata")
        name = (isinstance(metadata, dict) and metadata.get("name")) or "without a name"
        raise Refused(f"{kind} {name} cannot be used: {'; '.join(problems(error, model, ''))}") from None
    if kind == "ManagedClusterSetBinding" and document["metadata"]["name"] != document["spec"]["clusterSet"]:
        raise Refused(
            f"ManagedClusterSetBinding {document['metadata']['name']} binds the set {document['spec']['clusterSet']}, "
            "but must bear the name of the set that it binds"
        )
    return True
