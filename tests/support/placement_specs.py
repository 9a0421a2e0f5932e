"""Seeded Placements: every field of a PlacementSpec with values that are right, at an edge, wrong to OCM, or wrong to its CRD."""

from collections.abc import Callable
from random import Random
from typing import Any

from fedspoke.api.base import Object
from support import build, expressions

LABELS = {"region": ["eu", "us", "ap"], "gpu": ["true", "false", ""], "tier": ["gold", "silver"], "example.com/zone": ["1", "2"]}
SETS = ["team", "spare", "by-label", "global"]
TAINTS = ["gpu", "example.com/maintenance", "cluster.open-cluster-management.io/unreachable"]
EFFECTS = ["NoSelect", "NoSelectIfNew", "PreferNoSelect"]
RESOURCE_SCORES = ["gpu-usage", "posts"]
SCORES = ["free", "total", "facebook"]
_OF_SCORES = [expression for expression in expressions.ABOUT_CLUSTERS if ".scores(" in expression]


def placement(draw: Random, name: str, namespace: str) -> Object:
    """A Placement, most often one that an API server takes and OCM can decide."""
    spec: Object = {}
    for field, likely, value in _FIELDS:
        if draw.random() < likely:
            spec[field] = value(draw)
    if draw.random() < 0.08:
        draw.choice(_MISTAKES)(spec, draw)
    found = build.placement(name=name, **spec)
    found["metadata"]["namespace"] = namespace
    return found


def _predicates(draw: Random) -> list[Object]:
    return [_predicate(draw) if draw.random() < 0.8 else {} for _ in range(draw.choice([0, 1, 1, 2, 2, 3]))]


def _predicate(draw: Random) -> Object:
    selector: Object = {}
    if draw.random() < 0.5:
        selector["labelSelector"] = _label_selector(draw)
    if draw.random() < 0.3:
        selector["claimSelector"] = {"matchExpressions": [_requirement(draw, ["platform", "posts.example.com", "none"])]}
    if draw.random() < 0.4:
        pool = draw.choice([expressions.ABOUT_CLUSTERS] * 7 + [_OF_SCORES] * 5 + [expressions.OF_NO_BOOL, expressions.WRONG])
        selector["celSelector"] = {"celExpressions": draw.sample(pool, draw.choice([0, 1, 1, 1, 2]))}
    return {"requiredClusterSelector": selector}


def _label_selector(draw: Random) -> Object:
    selector: Object = {}
    if draw.random() < 0.5:
        key = draw.choice(list(LABELS))
        selector["matchLabels"] = {key: draw.choice(LABELS[key])} if draw.random() < 0.97 else {"a key": "x"}
    if draw.random() < 0.7:
        selector["matchExpressions"] = [_requirement(draw, list(LABELS)) for _ in range(draw.choice([1, 1, 1, 2]))]
    return selector


def _requirement(draw: Random, keys: list[str]) -> Object:
    key = draw.choice(keys)
    if draw.random() < 0.03:
        return draw.choice(
            [
                {"key": key, "operator": "In"},
                {"key": key, "operator": "Exists", "values": ["eu"]},
                {"key": key, "operator": "Equals", "values": ["eu"]},
                {"key": "not a key", "operator": "Exists"},
                {"key": key, "operator": "In", "values": ["not a value!"]},
            ]
        )
    operator = draw.choice(["In", "In", "NotIn", "Exists", "DoesNotExist"])
    values = [*LABELS.get(key, ["GCP", "AWS", "40", "7"]), "other"]
    if draw.random() < 0.02:
        values = ["Bare Metal", "many"]  # the first may be a claim's value, and may not be asked for
    return {"key": key, "operator": operator} | ({"values": draw.sample(values, 2)} if operator in ("In", "NotIn") else {})


def _tolerations(draw: Random) -> list[Object]:
    return [_toleration(draw) for _ in range(draw.choice([1, 1, 2, 3]))]


def _toleration(draw: Random) -> Object:
    operator = draw.choice(["Exists", "Exists", "Equal", None, None, "", "Near" if draw.random() < 0.2 else "Equal"])
    toleration: Object = {} if operator is None else {"operator": operator}
    if draw.random() < 0.9 or (operator != "Exists" and draw.random() < 0.8):
        toleration["key"] = draw.choice(TAINTS)
    if operator != "Exists" or draw.random() < 0.08:
        toleration["value"] = draw.choice(["", "gpu", "eu"])
    if draw.random() < 0.25:
        toleration["effect"] = draw.choice(EFFECTS)
    if draw.random() < 0.7:
        # ten billion seconds are more than Go's durations hold
        toleration["tolerationSeconds"] = draw.choice(
            [0, -1, 1, 2, 86400, 9_000_000_000, 10_000_000_000, 20_000_000_000, 2**63 - 1]
        )
    return toleration


def _prioritizer_policy(draw: Random) -> Object:
    policy: Object = {"configurations": [_configuration(draw) for _ in range(draw.choice([0, 1, 1, 2, 3, 4]))]}
    if draw.random() < 0.7:
        policy["mode"] = draw.choice(["Additive", "Exact", "Exact", "", "Other" if draw.random() < 0.2 else "Exact"])
    return policy


def _configuration(draw: Random) -> Object:
    coordinate: Object
    kind = draw.random()
    if kind < 0.03:
        coordinate = draw.choice(
            [
                {"type": "BuiltIn", "builtIn": "Spread"},
                {"type": "BuiltIn"},
                {"type": "AddOn"},
                {"type": "AddOn", "builtIn": "Steady"},
            ]
        )
    elif kind < 0.6:
        coordinate = {"builtIn": draw.choice(["Balance", "Steady", "ResourceAllocatableCPU", "ResourceAllocatableMemory"])}
        coordinate |= {"type": "BuiltIn"}
    else:
        score = {"resourceName": draw.choice([*RESOURCE_SCORES, "missing"]), "scoreName": draw.choice([*SCORES, "none"])}
        coordinate = {"type": "AddOn", "addOn": score}
    # By a negative weight of Steady a choice undoes itself for ever: it has a test of its own.
    least = 0 if coordinate.get("builtIn") == "Steady" else -10
    return {"scoreCoordinate": coordinate} | ({"weight": draw.randint(least, 10)} if draw.random() < 0.8 else {})


def _decision_strategy(draw: Random) -> Object:
    group_strategy: Object = {}
    if draw.random() < 0.7:
        group_strategy["clustersPerDecisionGroup"] = draw.choice(
            [1, 2, 5, 100, "1", "3", 0, -2, *["1%", "20%", "33%", "34%", "50%", "51%", "99%", "100%"] * 2]
        )
    if draw.random() < 0.6:
        group_strategy["decisionGroups"] = [
            {"groupName": draw.choice(["canary", "first", "A.b_c-1", "canary"]), "groupClusterSelector": _group_selector(draw)}
            for _ in range(draw.choice([1, 1, 2, 3]))
        ]
    return {"groupStrategy": group_strategy}


def _group_selector(draw: Random) -> Object:
    selector: Object = {}
    if draw.random() < 0.8:
        selector["labelSelector"] = _label_selector(draw)
    if draw.random() < 0.3:
        selector["claimSelector"] = {"matchExpressions": [_requirement(draw, ["platform", "posts.example.com"])]}
    return selector


def _spread_policy(draw: Random) -> Object:
    return {"spreadConstraints": [{"topologyKey": "region", "topologyKeyType": draw.choice(["Label", "Claim"])}]}


_Draw = Callable[[Random], Any]
_FIELDS: list[tuple[str, float, _Draw]] = [
    ("clusterSets", 0.2, lambda draw: draw.choices([*SETS, "absent"], k=draw.choice([0, 1, 1, 2, 3]))),
    ("numberOfClusters", 0.5, lambda draw: draw.choice([0, 1, 1, 2, 3, 5, 8, 20])),
    ("predicates", 0.6, _predicates),
    ("tolerations", 0.6, _tolerations),
    ("prioritizerPolicy", 0.6, _prioritizer_policy),
    ("decisionStrategy", 0.45, _decision_strategy),
    ("spreadPolicy", 0.05, _spread_policy),
]

_MISTAKES: list[Callable[[Object, Random], object]] = [
    lambda spec, draw: spec.update(numberOfCluster=1),
    lambda spec, draw: spec.update(numberOfClusters=draw.choice(["3", 1.5, True])),
    lambda spec, draw: spec.update(predicates={"requiredClusterSelector": {}}),
    lambda spec, draw: spec.update(predicates=[{"requiredClusterSelector": {"labelSelector": {"matchLabels": {"gpu": True}}}}]),
    lambda spec, draw: spec.update(predicates=[{"requiredClusterSelector": {"claimSelector": {"matchLabels": {"gpu": "1"}}}}]),
    lambda spec, draw: spec.update(predicates=[{"requiredClusterSelector": {"celSelector": {"celExpressions": "true"}}}]),
    lambda spec, draw: spec.update(tolerations=[{"key": "gpu", "effect": "NoExecute"}]),
    lambda spec, draw: spec.update(tolerations=[{"key": draw.choice(["a b", "", "-a", "a/b/c"]), "operator": "Exists"}]),
    lambda spec, draw: spec.update(
        tolerations=[{"key": "gpu", "tolerationSeconds": draw.choice(["60", 1.5, 2**63, -(2**63) - 1])}]
    ),
    lambda spec, draw: spec.update(tolerations=[{"key": "gpu", "value": "x" * 1025}]),
    lambda spec, draw: spec.update(prioritizerPolicy={"configurations": [{"weight": 1}]}),
    lambda spec, draw: spec.update(prioritizerPolicy={"configurations": [_weighted(draw.choice([11, -11, "1", 1.5]))]}),
    lambda spec, draw: spec.update(
        prioritizerPolicy={"configurations": [{"scoreCoordinate": {"builtIn": "Steady", "type": ""}}]}
    ),
    lambda spec, draw: spec.update(prioritizerPolicy={"configurations": [{"scoreCoordinate": {"type": "AddOn", "addOn": {}}}]}),
    lambda spec, draw: spec.update(
        decisionStrategy={"groupStrategy": {"clustersPerDecisionGroup": draw.choice(["0%", "101%", "x", ""])}}
    ),
    lambda spec, draw: spec.update(decisionStrategy={"groupStrategy": {"decisionGroups": [{"groupName": "canary"}]}}),
    lambda spec, draw: spec.update(
        decisionStrategy={"groupStrategy": {"decisionGroups": [_named(draw.choice(["x", "-ab", "a" * 64]))]}}
    ),
    lambda spec, draw: spec.update(spreadPolicy={"spreadConstraints": [{"topologyKey": "region", "topologyKeyType": "Node"}]}),
    lambda spec, draw: spec.update(
        spreadPolicy={"spreadConstraints": [{"topologyKey": "r", "topologyKeyType": "Label", "maxSkew": 0}]}
    ),
    lambda spec, draw: spec.update(clusterSets=draw.choice(["team", [1], [None]])),
    lambda spec, draw: spec.update(tolerations=[{"key": "gpu", "effect": ""}]),
    lambda spec, draw: spec.update(predicates=[_requires(draw.choice([{"key": "a"}, {"operator": "Exists"}, "a", None]))]),
    lambda spec, draw: spec.update(predicates=[{"requiredClusterSelector": {"celSelector": {"celExpressions": [1]}}}]),
    lambda spec, draw: spec.update({draw.choice([field for field, _, _ in _FIELDS]): None}),
]


def _requires(requirement: Any) -> Object:
    return {"requiredClusterSelector": {"labelSelector": {"matchExpressions": [requirement]}}}


def _weighted(weight: Any) -> Object:
    return {"scoreCoordinate": {"type": "BuiltIn", "builtIn": "Balance"}, "weight": weight}


def _named(group: str) -> Object:
    return {"groupName": group, "groupClusterSelector": {}}
