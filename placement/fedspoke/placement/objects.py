"""The OCM objects by which a federation chooses its clusters: the user's own PlacementSpec, and what its sugar means.

A cluster qualifies in one of several ways, and a Placement's predicates are ORed: there is one predicate for each way of
declaring data (platform × claim or label), times each way of declaring GPUs, times each predicate of the user's.
"""

import math
from collections.abc import Iterable
from itertools import product

from fedspoke.api.federated_learning import Data, FederatedLearning, Object, Resources
from fedspoke.api.names import (
    GPU_LABEL,
    GPUS_CLAIM,
    OURS,
    PLACEMENT,
    data_claim,
    is_gpu,
    labels,
    platform_label,
    posts_claim,
    run_name,
)
from fedspoke.api.units import parse_quantity
from fedspoke.placement.counts import AtLeast

_LATER = {"sortBy": "ClusterName", "scoreRateLimit": "1m"}
"""What OCM's controllers up to 1.2 do not know, and the API server then refuses, with what it is where nobody asks for it."""


def placement(fl: FederatedLearning) -> Object:
    """The Placement of one federation, named as the federation is."""
    spec = fl.spec.client.placement.model_dump(by_alias=True, exclude_unset=True, exclude_none=True)
    for field, default in _LATER.items():
        if spec.get(field) == default:
            del spec[field]
    ways = [_data(fl.spec.client.data), _gpus(gpus(fl.spec.client.resources))]
    asked = [predicate.get("requiredClusterSelector", {}) for predicate in spec.get("predicates", [])] or [{}]
    selectors = [_all(combination) for combination in product(asked, *filter(None, ways))]
    if selectors != [{}]:
        spec["predicates"] = [{"requiredClusterSelector": selector} for selector in selectors]
    api_version, kind = PLACEMENT
    return {"apiVersion": api_version, "kind": kind, "metadata": _metadata(fl, fl.name), "spec": spec}


def bindings(fl: FederatedLearning) -> list[Object]:
    """One ManagedClusterSetBinding for each cluster set that the user names: without it the Placement would not see the set.

    The API server wants a binding to bear the set's name, so that a namespace has one of each, whoever needs it: it carries
    no federation's labels.
    """
    return [
        {
            "apiVersion": "cluster.open-cluster-management.io/v1beta2",
            "kind": "ManagedClusterSetBinding",
            "metadata": {"name": cluster_set, "namespace": fl.namespace, "labels": OURS},
            "spec": {"clusterSet": cluster_set},
        }
        for cluster_set in fl.spec.client.placement.cluster_sets
    ]


def gpus(resources: Resources) -> int:
    """How many GPUs, of whatever make, one collaborator asks for."""
    asked = resources.requests | resources.limits  # for such resources Kubernetes wants both to be equal
    return math.ceil(sum(parse_quantity(amount) for name, amount in asked.items() if is_gpu(name)))


def _metadata(fl: FederatedLearning, name: str) -> Object:
    return {"name": name, "namespace": fl.namespace, "labels": labels(run_name(fl.namespace, fl.name))}


def _data(data: Data | None) -> list[Object]:
    if data is None:
        return []
    return [
        way | _cel(AtLeast(posts_claim(platform), data.min_posts))
        for platform in dict.fromkeys(data.platforms)
        for way in (
            _claims([{"key": data_claim(platform), "operator": "Exists"}]),
            _labels([{"key": platform_label(platform), "operator": "In", "values": ["true"]}]),
        )
    ]


def _gpus(count: int) -> list[Object]:
    if not count:
        return []
    return [
        _claims(AtLeast(GPUS_CLAIM, count).requirements()),
        _labels([{"key": GPU_LABEL, "operator": "In", "values": ["true"]}]),
    ]


def _claims(requirements: list[Object]) -> Object:
    return {"claimSelector": {"matchExpressions": requirements}}


def _labels(requirements: list[Object]) -> Object:
    return {"labelSelector": {"matchExpressions": requirements}}


def _cel(posts: AtLeast) -> Object:
    return {"celSelector": {"celExpressions": [posts.cel()]}} if posts.least else {}


def _all(selectors: Iterable[Object]) -> Object:
    """Selectors ANDed into one. Only one of them, the user's, has matchLabels, so that no two can contradict each other."""
    merged: Object = {}
    for selector in selectors:
        for kind, terms in selector.items():
            into = merged.setdefault(kind, {})
            for key, term in terms.items():
                into[key] = [*into.get(key, []), *term] if isinstance(term, list) else {**into.get(key, {}), **term}
    return merged
