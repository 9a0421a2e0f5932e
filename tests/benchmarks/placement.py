"""How long one Placement takes over 10,000 clusters, and how much less when one cluster has changed.

    PYTHONPATH=tests python -m benchmarks.placement [CLUSTERS]

The Placement asks for a label, a claim and a CEL expression, tolerates a taint, weighs every prioritizer and takes half.
"""

import gc
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from fedspoke.api.base import Object
from fedspoke.placement.evaluate import Decision, evaluate
from fedspoke.placement.fleet import Fleet
from fedspoke.placement.memory import Memory
from support import build

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ROUNDS = 5
CEL = 'managedCluster.status.clusterClaims.exists(c, c.name == "posts" && int(c.value) > 19)'
"""Not in the form of fedspoke's own counts, which need no CEL."""


def cluster(number: int, posts: int) -> Object:
    """One in ten is tainted, one in five has no data, one in three is elsewhere."""
    found = build.cluster(
        f"cluster-{number:06}",
        labels={"region": ("eu", "us", "ap")[number % 3], "vendor": "k3s", "zone": f"z{number % 40}"},
        claims={"platform": "AWS", "posts": str(posts)} | ({"data": "/data"} if number % 5 else {}),
        taints=[{"key": "gpu", "value": "busy", "effect": "NoSelect"}] if number % 10 == 0 else [],
    )
    amounts = {"cpu": f"{number % 64}", "memory": f"{16_000_000 + number}Ki"}
    found["status"] |= {"allocatable": amounts, "capacity": amounts}
    return found


def fleet(size: int) -> Fleet:
    """A hub with as many clusters, a score of each, and 100 earlier decisions of others."""
    clusters = [cluster(number, number % 100) for number in range(size)]
    names = [it["metadata"]["name"] for it in clusters]
    scores = tuple(build.scores(name, until="2026-11-22T00:00:00Z", gpusFree=n % 200 - 100) for n, name in enumerate(names))
    others = tuple(build.decided(f"p{n}", *names[n : n + 100]) for n in range(100))
    mine = build.decided("chosen", *names[:1000])
    return build.fleet(*clusters, scores=scores, decisions=(*others, mine))


def placement(size: int) -> Object:
    """A Placement that uses all there is."""
    selector = (
        build.with_label(build.has("region", "In", "eu", "us"))
        | build.with_claim(build.has("data"))
        | {"celSelector": {"celExpressions": [CEL]}}
    )
    names = ["Balance", "Steady", "ResourceAllocatableCPU", "ResourceAllocatableMemory", "federated-learning/gpusFree"]
    return build.placement(
        selector,
        numberOfClusters=size // 2,
        prioritizerPolicy={"configurations": [build.prioritizer(name, 2) for name in names]},
        tolerations=[{"key": "gpu", "operator": "Equal", "value": "busy", "tolerationSeconds": 300}],
        decisionStrategy={"groupStrategy": {"clustersPerDecisionGroup": "20%"}},
    )


def seconds(decide: Callable[[], Decision]) -> float:
    """Seconds of one core, the best of several rounds: a decision waits for nothing, so that on an idle machine they are real."""
    found = []
    for _ in range(ROUNDS):
        gc.collect()
        start = time.process_time()
        decide()
        found.append(time.process_time() - start)
    return min(found)


def main(size: int) -> None:
    """Print the table."""
    asked, whole = placement(size), fleet(size)
    decision = evaluate(asked, whole, NOW)
    print(f"{size} clusters: {len(decision.decisions)} chosen in {len(decision.groups)} groups, {len(decision.rejected)} not\n")
    plain = seconds(lambda: evaluate(build.placement(), whole, NOW))
    full = seconds(lambda: evaluate(asked, whole, NOW))
    memory, turn = Memory(), 0
    evaluate(asked, whole, NOW, memory)

    def after_one_change() -> Decision:
        nonlocal turn
        turn += 1
        changed = replace(whole, clusters=(cluster(7, turn), *whole.clusters[1:]))
        return evaluate(asked, changed, NOW, memory)

    one = seconds(after_one_change)
    print(f"{'':44}{'seconds':>9}{'of full':>9}")
    for what, took in (("a Placement that asks for nothing", plain), ("full", full), ("one cluster changed, with a Memory", one)):
        print(f"{what:44}{took:>9.3f}{took / full:>9.0%}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
