"""Kubernetes objects for tests, each built from only what its test is about."""

from datetime import datetime
from typing import Any

from fedspoke.api.federated_learning import Object
from fedspoke.api.names import API_VERSION, KIND, Platform, data_claim, platform_label, posts_claim
from fedspoke.placement.fleet import Fleet


def federated_learning(name: str = "social", namespace: str = "default", **spec: Any) -> Object:
    """A FederatedLearning document; `federated_learning(server={"rounds": 3})`."""
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"framework": "flower"} | spec,
    }


def cluster(
    name: str = "cluster1", labels: dict[str, str] | None = None, claims: dict[str, str] | None = None, **spec: Any
) -> Object:
    """A ManagedCluster that the hub has accepted."""
    return {
        "apiVersion": "cluster.open-cluster-management.io/v1",
        "kind": "ManagedCluster",
        "metadata": {"name": name, "labels": labels or {}},
        "spec": {"hubAcceptsClient": True} | spec,
        "status": {"clusterClaims": [{"name": claim, "value": value} for claim, value in (claims or {}).items()]},
    }


def away(cluster: Object, since: datetime) -> Object:
    """The same cluster, as OCM has it once it does not hear of it any more."""
    at = f"{since:%Y-%m-%dT%H:%M:%SZ}"
    taint = {"key": "cluster.open-cluster-management.io/unreachable", "effect": "NoSelect", "timeAdded": at}
    condition = {
        "type": "ManagedClusterConditionAvailable",
        "status": "Unknown",
        "reason": "ManagedClusterLeaseUpdateStopped",
        "message": "Registration agent stopped updating its lease.",
        "lastTransitionTime": at,
    }
    spec, status = cluster["spec"], cluster["status"]
    taints, conditions = [*spec.get("taints", []), taint], [*status.get("conditions", []), condition]
    return cluster | {"spec": spec | {"taints": taints}, "status": status | {"conditions": conditions}}


def fleet(*clusters: Object, **others: Any) -> Fleet:
    """A hub with these clusters, all of them in the set `global`, which is bound to the namespace `default`."""
    return Fleet(clusters=clusters, **{"sets": (cluster_set(),), "bindings": (binding(),)} | others)


def cluster_set(name: str = "global", **selector: Any) -> Object:
    """A ManagedClusterSet of all clusters; `cluster_set("eu", matchLabels={"region": "eu"})` of some."""
    return {
        "apiVersion": "cluster.open-cluster-management.io/v1beta2",
        "kind": "ManagedClusterSet",
        "metadata": {"name": name},
        "spec": {"clusterSelector": {"selectorType": "LabelSelector", "labelSelector": selector}},
    }


def binding(cluster_set: str = "global", namespace: str = "default") -> Object:
    """A ManagedClusterSetBinding."""
    return {
        "apiVersion": "cluster.open-cluster-management.io/v1beta2",
        "kind": "ManagedClusterSetBinding",
        "metadata": {"name": cluster_set, "namespace": namespace},
        "spec": {"clusterSet": cluster_set},
    }


def scores(cluster: str, name: str = "federated-learning", until: str | None = None, **values: int) -> Object:
    """An AddOnPlacementScore: `scores("cluster1", gpusFree=40)`."""
    valid = {} if until is None else {"validUntil": until}
    return {
        "apiVersion": "cluster.open-cluster-management.io/v1alpha1",
        "kind": "AddOnPlacementScore",
        "metadata": {"name": name, "namespace": cluster},
        "status": {"scores": [{"name": score, "value": value} for score, value in values.items()]} | valid,
    }


def decided(placement: str, *clusters: str, namespace: str = "default") -> Object:
    """A PlacementDecision of an earlier time."""
    return {
        "apiVersion": "cluster.open-cluster-management.io/v1beta1",
        "kind": "PlacementDecision",
        "metadata": {
            "name": f"{placement}-decision-1",
            "namespace": namespace,
            "labels": {"cluster.open-cluster-management.io/placement": placement},
        },
        "status": {"decisions": [{"clusterName": cluster, "reason": ""} for cluster in clusters]},
    }


def prioritizer(name: str, weight: int = 1) -> Object:
    """One entry of prioritizerPolicy.configurations; `prioritizer("federated-learning/gpusFree", 2)` is an add-on's score."""
    resource, slash, score = name.partition("/")
    coordinate: Object = {"type": "BuiltIn", "builtIn": name}
    if slash:
        coordinate = {"type": "AddOn", "addOn": {"resourceName": resource, "scoreName": score}}
    return {"scoreCoordinate": coordinate, "weight": weight}


def declares(*platforms: Platform, path: str = "/data", posts: int | None = None) -> dict[str, str]:
    """The claims of a cluster that has data: `cluster("cluster1", claims=declares("facebook", posts=40))`."""
    counts = {} if posts is None else {posts_claim(platform): str(posts) for platform in platforms}
    return {data_claim(platform): path for platform in platforms} | counts


def labelled(*platforms: Platform) -> dict[str, str]:
    """The labels of a cluster whose data a hub admin declares."""
    return {platform_label(platform): "true" for platform in platforms}


def placement(*selectors: Object, name: str = "chosen", **spec: Any) -> Object:
    """A Placement: one predicate a selector (they are ORed), none for every cluster."""
    predicates = {"predicates": [{"requiredClusterSelector": selector} for selector in selectors]} if selectors else {}
    return {
        "apiVersion": "cluster.open-cluster-management.io/v1beta1",
        "kind": "Placement",
        "metadata": {"name": name, "namespace": "default"},
        "spec": predicates | spec,
    }


def has(key: str, operator: str = "Exists", *values: str) -> Object:
    """One selector requirement: `has("gpu", "In", "true")`."""
    return {"key": key, "operator": operator} | ({"values": list(values)} if values else {})


def with_claim(*requirements: Object) -> Object:
    """A cluster selector over claims."""
    return {"claimSelector": {"matchExpressions": list(requirements)}}


def with_label(*requirements: Object, **match_labels: str) -> Object:
    """A cluster selector over labels."""
    selector: Object = {"matchExpressions": list(requirements)} if requirements else {}
    return {"labelSelector": selector | ({"matchLabels": match_labels} if match_labels else {})}
