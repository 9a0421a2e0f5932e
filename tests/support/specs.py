"""Specs whose fields contradict each other, with where a person would mend it; and specs that go together.

Python and an API server are both asked about them.
"""

from fedspoke.api.federated_learning import Object


def _aggregation(strategy: str, *, clusters: int = 1, **fields: object) -> Object:
    return {"server": {"minAvailableClients": clusters, "aggregation": {"strategy": strategy, **fields}}}


CONTRADICTIONS: dict[str, tuple[Object, str]] = {
    "a round that waits for more clusters than the start": (
        {"server": {"minAvailableClients": 2, "minResponses": 3}},
        "server.minResponses",
    ),
    "no bucket": ({"server": {"storage": {"type": "S3Bucket"}}}, "server.storage.s3"),
    "a folder above the claim": ({"server": {"storage": {"path": "../other"}}}, "server.storage.path"),
    "a folder above the claim, by a way round": (
        {"server": {"storage": {"type": "PersistentVolumeClaim", "path": "/models/../.."}}},
        "server.storage.path",
    ),
    "no time": ({"deadline": "0s"}, "deadline"),
    "no round": ({"server": {"roundTimeout": "0s"}}, "server.roundTimeout"),
    "noise of no strength": ({"privacy": {"adapters": {"mechanism": "gaussian"}}}, "privacy.adapters.noiseMultiplier"),
    "a strategy that compares updates which nobody sees": (
        {"privacy": {"secureAggregation": True}} | _aggregation("fedmedian", clusters=3),
        "privacy.secureAggregation",
    ),
    "another strategy's number": (_aggregation("fedavg", options={"mu": 0.1}), "server.aggregation.options"),
    "a number of no strategy": (_aggregation("fedprox", options={"mew": 0.1}), "server.aggregation.options"),
    "a pull away from the start": (_aggregation("fedprox", options={"mu": -0.1}), "server.aggregation.options"),
    "a step of no length": (_aggregation("fedadam", options={"learningRate": 0}), "server.aggregation.options"),
    "a moment that never forgets": (_aggregation("fedyogi", options={"beta2": 1}), "server.aggregation.options"),
    "a mean of which nothing is left": (
        _aggregation("trimmedmean", clusters=9, options={"beta": 0.5}),
        "server.aggregation.options",
    ),
    "half a liar": (_aggregation("krum", clusters=9, options={"malicious": 1.5}), "server.aggregation.options"),
    "nobody selected": (_aggregation("multikrum", clusters=9, options={"select": 0}), "server.aggregation.options"),
    "a product whose numbers are compared": (_aggregation("fedmedian", clusters=3, lora="svd"), "server.aggregation.lora"),
    "krum among four": (_aggregation("krum", clusters=4), "server.aggregation.strategy"),
    "krum with two liars among six": (
        _aggregation("krum", clusters=6, options={"malicious": 2}),
        "server.aggregation.strategy",
    ),
    "multikrum that takes more than are compared": (
        _aggregation("multikrum", clusters=7, options={"select": 5}),
        "server.aggregation.strategy",
    ),
    "bulyan among six": (_aggregation("bulyan", clusters=6), "server.aggregation.strategy"),
    "a rank of one's own beyond the federation's": (
        {"training": {"lora": {"rank": 8, "ranks": {"cluster1": 16}}}} | _aggregation("fedavg", lora="svd"),
        "training.lora.ranks",
    ),
    "two lengths of a round": ({"training": {"steps": 100, "epochs": 3}}, "training.steps"),
    "factors of different ranks, averaged": ({"training": {"lora": {"ranks": {"cluster1": 4}}}}, "training.lora.ranks"),
}

ACCEPTED: dict[str, Object] = {
    "nothing said": {},
    "a folder in the claim": {"server": {"storage": {"name": "models", "path": "/data/..models/v1..2/"}}},
    "a pull": _aggregation("fedprox", options={"mu": 0}),
    "an optimizer on the hub": _aggregation(
        "fedadam", lora="ffa", options={"learningRate": 0.01, "beta1": 0, "beta2": 0.99, "tau": 1e-9}
    ),
    "krum among five": _aggregation("krum", clusters=5),
    "krum among those that answer": {
        "server": {"minAvailableClients": 9, "minResponses": 7, "aggregation": {"strategy": "krum", "options": {"malicious": 2}}}
    },
    "no liar": _aggregation("multikrum", clusters=4, options={"malicious": 0, "select": 2}),
    "multikrum among seven": _aggregation("multikrum", clusters=7, options={"select": 4}),
    "bulyan among seven": _aggregation("bulyan", clusters=7),
    "ranks": {"training": {"lora": {"rank": 16, "ranks": {"cluster1": 4, "cluster2": 16}}}} | _aggregation("fedavg", lora="svd"),
    "noise": {"privacy": {"adapters": {"mechanism": "gaussian", "clip": 0.5, "noiseMultiplier": 1.1}}},
}
