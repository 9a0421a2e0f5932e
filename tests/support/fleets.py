"""Hypothesis strategies: small fleets of a hub, and Placements that ask for what such fleets have."""

from typing import Any

from hypothesis import strategies as st

from fedspoke.api.base import Object
from fedspoke.placement.fleet import Fleet
from support import build

NAMES = [f"c{n}" for n in range(6)]
_TIMES = st.sampled_from(["2026-11-21T11:00:00Z", "2026-11-21T12:30:00Z", "2026-11-21T14:00:00Z"])
_REGIONS = st.fixed_dictionaries({}, optional={"region": st.sampled_from(["eu", "us"])})
_CLAIMS = st.fixed_dictionaries({}, optional={"posts": st.sampled_from(["1", "20", "300"])})
_TAINTS = st.lists(
    st.fixed_dictionaries(
        {
            "key": st.sampled_from(["gpu", "busy"]),
            "effect": st.sampled_from(["NoSelect", "NoSelectIfNew", "PreferNoSelect"]),
            "timeAdded": _TIMES,
        }
    ),
    max_size=1,
)
_AMOUNTS = st.fixed_dictionaries({}, optional={"cpu": st.sampled_from(["700m", "1", "4", "16"])})


@st.composite
def clusters(draw: st.DrawFn, name: str) -> Object:
    """One ManagedCluster of that name."""
    found = build.cluster(name, labels=draw(_REGIONS), claims=draw(_CLAIMS), taints=draw(_TAINTS))
    amounts = draw(_AMOUNTS)
    found["status"] |= {"allocatable": amounts, "capacity": amounts}
    return found


def scores(name: str) -> st.SearchStrategy[Object]:
    """One AddOnPlacementScore of the cluster of that name."""
    return st.builds(
        lambda until, free: build.scores(name, until=until, gpusFree=free), st.none() | _TIMES, st.integers(-100, 100)
    )


@st.composite
def fleets(draw: st.DrawFn) -> Fleet:
    """Up to six clusters, of some of which a score is reported, with earlier decisions of this Placement and of others."""
    names = draw(st.lists(st.sampled_from(NAMES), unique=True))
    reported = draw(st.lists(st.sampled_from(NAMES), unique=True))
    return build.fleet(
        *(draw(clusters(name)) for name in names),
        scores=tuple(draw(scores(name)) for name in reported),
        decisions=draw(decisions()),
    )


@st.composite
def decisions(draw: st.DrawFn) -> tuple[Object, ...]:
    """Earlier decisions of the Placement `chosen` and of two others."""
    some = st.lists(st.sampled_from([*NAMES, "gone"]), unique=True, max_size=3)
    return tuple(build.decided(placement, *draw(some)) for placement in ("chosen", "other", "third"))


_SELECTORS = st.sampled_from(
    [
        build.with_label(region="eu"),
        build.with_label(build.has("region")),
        build.with_claim(build.has("posts", "NotIn", "1")),
        build.with_label(build.has("region", "DoesNotExist")) | build.with_claim(build.has("posts")),
    ]
)
_SOURCES = ["Balance", "Steady", "ResourceAllocatableCPU", "federated-learning/gpusFree"]
_POLICIES = st.fixed_dictionaries(
    {
        "mode": st.sampled_from(["Additive", "Exact"]),
        "configurations": st.lists(st.builds(build.prioritizer, st.sampled_from(_SOURCES), st.integers(-10, 10)), max_size=4),
    }
)
_TOLERATIONS = st.lists(
    st.fixed_dictionaries({"key": st.just("gpu"), "operator": st.just("Exists")}, optional={"tolerationSeconds": st.just(3600)}),
    max_size=1,
)
_GROUPS = st.fixed_dictionaries(
    {"clustersPerDecisionGroup": st.sampled_from([1, 2, "34%", "100%"])},
    optional={"decisionGroups": st.just([{"groupName": "canary", "groupClusterSelector": build.with_label(region="eu")}])},
)
_SPECS = st.fixed_dictionaries(
    {},
    optional={
        "numberOfClusters": st.integers(0, 7),
        "prioritizerPolicy": _POLICIES,
        "tolerations": _TOLERATIONS,
        "decisionStrategy": st.builds(lambda strategy: {"groupStrategy": strategy}, _GROUPS),
        "sortBy": st.sampled_from(["ClusterName", "Score"]),
    },
)


def placements(**fixed: Any) -> st.SearchStrategy[Object]:
    """A Placement `chosen`; a field of its spec that is given here has that value in each, None that it is in none."""

    def made(selectors: list[Object], spec: Object) -> Object:
        wanted = {field: value for field, value in (spec | fixed).items() if value is not None}
        return build.placement(*selectors, **wanted)

    return st.builds(made, st.lists(_SELECTORS, max_size=2), _SPECS)
