"""A cluster that the hub does not hear of for a while keeps its work in a federation.

OCM taints such a cluster and leaves it out of every decision at once, be it cut off for a minute. That its work is taken away
would reach it only when it is back, and end there what was to go on. A cluster that is away is not chosen anew, and one that is
left out for any other reason loses its work as ever.
"""

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime

from fedspoke.api.base import Object
from fedspoke.api.errors import Refused
from fedspoke.hub.controller.difference import going
from fedspoke.hub.controller.world import World
from fedspoke.placement import declared
from fedspoke.placement.evaluate import evaluate

_TAINTS = ("cluster.open-cluster-management.io/unreachable", "cluster.open-cluster-management.io/unavailable")
_AVAILABLE = "ManagedClusterConditionAvailable"


def kept(placement: Object, world: World, chosen: Collection[str], now: datetime) -> list[str]:
    """The clusters that are not chosen any more, and would be if they were heard of."""
    at_work = {work["metadata"]["namespace"] for work in world.works if not going(work)}
    away = [name for it in world.fleet.clusters if (name := declared.name(it)) in at_work and name not in chosen and _tainted(it)]
    if not away:
        return []
    untainted = tuple(_untainted(it) if declared.name(it) in away else it for it in world.fleet.clusters)
    try:
        qualifies = {name for name, _ in evaluate(placement, replace(world.fleet, clusters=untainted), now).decisions}
    except Refused:  # of what we cannot judge, OCM's own word is awaited
        return away
    return [name for name in away if name in qualifies]


def unheard(cluster: Object) -> str:
    """Since when the hub does not hear of a cluster, or hears that it is unwell; empty if all is well."""
    for it in (cluster.get("status") or {}).get("conditions") or []:
        if it["type"] == _AVAILABLE and it["status"] != "True":
            since = datetime.fromisoformat(it["lastTransitionTime"]).astimezone(UTC)
            return f"OCM calls the cluster unavailable since {since:%Y-%m-%d %H:%M:%S} UTC: {it['message']}"
    return ""


def _tainted(cluster: Object) -> bool:
    return any(taint["key"] in _TAINTS for taint in _taints(cluster))


def _untainted(cluster: Object) -> Object:
    return cluster | {"spec": cluster["spec"] | {"taints": [it for it in _taints(cluster) if it["key"] not in _TAINTS]}}


def _taints(cluster: Object) -> list[Object]:
    found: list[Object] = cluster["spec"].get("taints") or []
    return found
