"""What a ManagedCluster declares: labels that a hub admin gave it, claims that the cluster itself makes."""

import re

from fedspoke.api.federated_learning import Data, FederatedLearning, Object
from fedspoke.api.names import Platform, data_claim, platform_label, posts_claim


def name(cluster: Object) -> str:
    """The cluster's name."""
    return str(cluster["metadata"]["name"])


def namespace(namespaced: Object) -> str:
    """The object's namespace, as kubectl would choose it where the object names none."""
    return str(namespaced["metadata"].get("namespace") or "default")


def labels(cluster: Object) -> dict[str, str]:
    """The cluster's labels."""
    return cluster["metadata"].get("labels") or {}


def is_being_deleted(cluster: Object) -> bool:
    """Whether the cluster is on its way out of the fleet."""
    return bool(cluster["metadata"].get("deletionTimestamp"))


def claims(cluster: Object) -> dict[str, str]:
    """The cluster's claims; one without a value has an empty one."""
    return {claim["name"]: claim.get("value") or "" for claim in (cluster.get("status") or {}).get("clusterClaims") or []}


def is_openshift(cluster: Object) -> bool:
    """Whether the cluster claims to be one, as ACM's klusterlet does for it."""
    return claims(cluster).get("product.open-cluster-management.io") == "OpenShift"


def count(cluster: Object, claim: str) -> int | None:
    """A claim that is a number as CEL's `int` reads one; None if there is none, or it is no number."""
    text = claims(cluster).get(claim, "")
    return int(text) if re.fullmatch("[+-]?[0-9]+", text) else None


def platforms_of(cluster: Object, fl: FederatedLearning) -> tuple[Platform, ...]:
    """Which platforms' data a chosen cluster trains on: those that are asked for, that it declares, with posts enough."""
    data = fl.spec.client.data or Data()
    declared = [
        platform
        for platform in data.platforms
        if data_claim(platform) in claims(cluster) or labels(cluster).get(platform_label(platform)) == "true"
    ]
    return tuple(
        platform
        for platform in dict.fromkeys(declared)
        if not data.min_posts or (count(cluster, posts_claim(platform)) or 0) >= data.min_posts
    )


def dataset_paths(cluster: Object, fl: FederatedLearning) -> dict[Platform, str]:
    """Where the datasets of `platforms_of` are, as the cluster's claims say; a label alone names no path."""
    found = claims(cluster)
    return {platform: found[data_claim(platform)] for platform in platforms_of(cluster, fl) if data_claim(platform) in found}
