"""What the live objects mean for one federation: pure functions from one look at the world."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from pydantic import ValidationError

from fedspoke.api.base import Object
from fedspoke.api.errors import Refused
from fedspoke.api.federated_learning import Artifact, FederatedLearning, ListenerStatus
from fedspoke.api.names import ADDON, Platform
from fedspoke.api.records import ClusterProgress, Progress
from fedspoke.api.status import ENDED
from fedspoke.hub import reporter
from fedspoke.hub.aggregation import releases
from fedspoke.hub.aggregator_workload import Place, aggregator_name, claim_name, progress_name
from fedspoke.hub.conditions import moment
from fedspoke.hub.controller import bindings
from fedspoke.hub.controller.away import kept, unheard
from fedspoke.hub.controller.difference import going
from fedspoke.hub.controller.kinds import PLACEMENT
from fedspoke.hub.controller.world import World
from fedspoke.hub.exposed import exposed
from fedspoke.hub.observed import Observed
from fedspoke.kube.pods import restarted, stuck
from fedspoke.manifestworks.collaborator import Hub, Spoke
from fedspoke.manifestworks.report import PHASE, REASON
from fedspoke.placement import declared, objects
from fedspoke.placement.evaluate import Decision, evaluate

_FIRST_WORD, _SIGNS = timedelta(minutes=1), timedelta(minutes=3)
"""In which an aggregator whose pod runs is heard of first, and is heard of again: it gives a sign of life every minute."""

_AGENT = f"feature.open-cluster-management.io/addon-{ADDON}"
"""The label in which OCM keeps on a cluster how the add-on is there: available, unhealthy or unreachable."""


def observed(fl: FederatedLearning, world: World, before: Sequence[ListenerStatus], attempt: str, now: datetime) -> Observed:
    """What status.py needs; `before` is where the gateway was when it was last looked at."""
    decision, progress = decided(fl, world, now), _progress(fl, world, attempt)
    where = listener(fl, world, {it.address for it in before})
    waits = _hub_waits(fl, world, where)
    return Observed(
        decision=decision,
        undecided=undecided(world.named(PLACEMENT.kind, fl.name), world.fleet.decisions),
        platforms={spoke.cluster: tuple(spoke.datasets) for spoke in spokes(fl, world, decision)},
        listener=where if isinstance(where, ListenerStatus) else None,
        progress=progress,
        rounds=reporter.rounds(_told(fl, world)),
        releases=releases.counts_told(_told(fl, world).get(releases.FILE, "")),
        waits=waits,
        silent_since=None if waits else _silent(_youngest(world.pods), progress, reporter.heard(_told(fl, world)), now),
        restarted=dict(_stuck(world, progress)),
        hub_restarted=restarted(_youngest(world.pods), now) if world.pods else "",
        model=_artifact(fl, "global/adapter_model.safetensors", progress.model if progress else None),
        profile=_artifact(fl, "general_profile.json", progress.profile if progress else None),
    )


def decided(fl: FederatedLearning, world: World, now: datetime) -> Decision:
    """The clusters that OCM chose, and those that are away; of the others, the reasons that our own evaluation finds."""
    chosen = tuple(
        (each["clusterName"], each.get("score") or 0)
        for it in sorted(world.fleet.decisions, key=_order)
        for each in (it.get("status") or {}).get("decisions") or []
    )
    at_work = {it["metadata"]["namespace"] for it in world.works if not going(it)}
    if undecided(world.named(PLACEMENT.kind, fl.name), world.fleet.decisions):
        chosen = tuple((name, 0) for name in sorted(at_work))
    elif at_work and bindings.unheard(objects.bindings(fl), world.fleet.bindings, now):
        # OCM chooses nobody of a set that is not bound. Who deletes the binding sends nobody home by that.
        chosen = (*chosen, *((name, 0) for name in sorted(at_work - {name for name, _ in chosen})))
    if away := kept(objects.placement(fl), world, {name for name, _ in chosen}, now):
        chosen = tuple(sorted((*chosen, *((name, 0) for name in away))))
    names = {name for name, _ in chosen}
    try:
        ours = evaluate(objects.placement(fl), world.fleet, now)
    except Refused as error:  # OCM decides all the same; only the reasons are ours
        return Decision(decisions=chosen, problem=str(error))
    rejected = tuple((name, reason) for name, reason in ours.rejected if name not in names)
    awaited = tuple((name, "OCM's placement controller has not chosen it yet") for name, _ in ours.decisions if name not in names)
    return Decision(decisions=chosen, rejected=(*rejected, *awaited), problem=ours.problem)


def undecided(placement: Object | None, decisions: Collection[Object]) -> bool:
    """Whether OCM has yet to say whom it chooses. Who deletes a Placement or its decisions sends nobody home by that."""
    said = (placement or {}).get("status") or {}
    return not decisions and (not said.get("conditions") or bool(said.get("numberOfSelectedClusters")))


def new_account(fl: FederatedLearning, world: World) -> str:
    """The uid of the aggregator's service account, if somebody deleted the one before: that one's tokens are worth nothing."""
    name = aggregator_name(fl)
    account, deployment = world.named("ServiceAccount", name), world.named("Deployment", name)
    if account is None or deployment is None or _made(account) <= _made(deployment):
        return ""
    return str(account["metadata"]["uid"])


def _made(it: Object) -> str:
    return str(it["metadata"].get("creationTimestamp", ""))


def spokes(fl: FederatedLearning, world: World, decision: Decision) -> list[Spoke]:
    """What each chosen cluster offers. A label names no path: its dataset is where its volume is mounted by default."""
    clusters = {declared.name(it): it for it in world.fleet.clusters}
    return [
        Spoke(cluster=name, datasets=_datasets(fl, it), openshift=declared.is_openshift(it))
        for name, it in ((name, clusters.get(name)) for name, _ in decision.decisions)
        if it
    ]


def listener(fl: FederatedLearning, world: World, known: Collection[str] = ()) -> ListenerStatus | str:
    """Where spokes reach the gateway, or what has to come before there is such an address.

    An address that they know stays as long as a ready node has it: collaborators are started anew for another one.
    """
    service = world.named("Service", aggregator_name(fl))
    if service is None:
        return "the aggregator's Service"
    asked = exposed(fl)
    port = service["spec"]["ports"][0]
    if asked.type == "LoadBalancer":
        given = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
        if not given:
            return f"an address of the LoadBalancer Service {aggregator_name(fl)}; the hub needs a provider of load balancers"
        address, number = given[0].get("ip") or given[0]["hostname"], port["port"]
    else:
        usable = sorted(_addresses(world), key=lambda it: it not in known)
        found = asked.ip or next(iter(usable), None)
        if not found or "nodePort" not in port:
            return "a node of the hub that is ready and has an address; or name one in spec.server.listeners[0].ip"
        address, number = found, port["nodePort"]
    return ListenerStatus(name=asked.name or "gateway", type=asked.type, address=address, port=number)


def listens(world: World) -> Place:
    """Where the gateway listens in its pod: over IPv6, too, if the hub's nodes have it; elsewhere it could not start so."""
    return Place(listen="::") if any(":" in it for it in _addresses(world)) else Place()


def _datasets(fl: FederatedLearning, cluster: Object) -> Mapping[Platform, str]:
    paths = declared.dataset_paths(cluster, fl)
    return {platform: paths.get(platform, f"/data/{platform}") for platform in declared.platforms_of(cluster, fl)}


def _addresses(world: World) -> Iterator[str]:
    """Of the hub's ready nodes: outer ones first, as spokes are elsewhere."""
    ready = [it for it in world.nodes if any(_holds(c, "Ready") for c in (it.get("status") or {}).get("conditions") or [])]
    for kind in ("ExternalIP", "InternalIP"):
        for node in ready:
            yield from (each["address"] for each in node["status"].get("addresses") or [] if each["type"] == kind)


def _holds(condition: Object, kind: str) -> bool:
    return bool(condition["type"] == kind and condition["status"] == "True")


def _order(decision: Object) -> tuple[int, str]:
    labels = decision["metadata"].get("labels") or {}
    return int(labels.get("cluster.open-cluster-management.io/decision-group-index", 0)), decision["metadata"]["name"]


def _progress(fl: FederatedLearning, world: World, attempt: str) -> Progress | None:
    text = _told(fl, world).get(reporter.PROGRESS)
    try:
        told = Progress.model_validate_json(text) if text else None
    except ValidationError:  # of another version's aggregator, which is being replaced
        return None
    return told if told and told.attempt == attempt else None


def _told(fl: FederatedLearning, world: World) -> Mapping[str, str]:
    return (world.named("ConfigMap", progress_name(fl.name)) or {}).get("data") or {}


def _hub_waits(fl: FederatedLearning, world: World, where: ListenerStatus | str) -> str:
    """What keeps the hub's part from running; empty if nothing does."""
    if isinstance(where, str):
        return where
    if not world.pods:
        return f"the aggregator's pod{_not_made(world.named('Deployment', aggregator_name(fl)))}"
    pod = _youngest(world.pods)
    if reason := stuck(pod, world.events):
        return f"the aggregator's pod: {reason}"
    status = pod.get("status") or {}
    if status.get("phase") != "Running":
        return "the aggregator's pod, which is being started"
    unready = [it for it in status.get("conditions") or [] if (it["type"], it["status"]) == ("Ready", "False")]
    return f"the aggregator's pod: {unready[0].get('message') or 'it is not ready'}" if unready else ""


def _silent(pod: Object, progress: Progress | None, heard: datetime | None, now: datetime) -> datetime | None:
    """Since when nothing is heard of an aggregator whose pod runs; None where something is, or may well be soon."""
    said = (pod.get("status") or {}).get("conditions") or []
    runs = next((datetime.fromisoformat(it["lastTransitionTime"]) for it in said if _holds(it, "Ready")), None)
    if going(pod) or runs is None or (progress and (heard is None or progress.phase in ENDED)):
        return None
    if progress is None or heard is None:
        return runs if now - runs > _FIRST_WORD else None
    return heard if now - max(heard, runs) > _SIGNS else None


def _youngest(pods: Sequence[Object]) -> Object:
    """One that was evicted stays for a while."""
    return max(pods, key=_made)


def _not_made(deployment: Object | None) -> str:
    """Why a Deployment makes no pod: a quota, or an admission that refuses it."""
    said = ((deployment or {}).get("status") or {}).get("conditions") or []
    return next((f": {it['message']}" for it in said if _holds(it, "ReplicaFailure")), "")


def _stuck(world: World, progress: Progress | None) -> Iterator[tuple[str, str]]:
    """Cluster → why its collaborator does not run, as the cluster's own agent reports it, if it can; or how far it is."""
    agents = {declared.name(it): (it["metadata"].get("labels") or {}).get(_AGENT, "") for it in world.fleet.clusters}
    away = {declared.name(it): why for it in world.fleet.clusters if (why := unheard(it))}
    for work in world.works:
        cluster = work["metadata"]["namespace"]
        if cluster in away:
            yield cluster, away[cluster]
            continue
        told = {it["name"]: it["fieldValue"].get("string", "") for manifest in _manifests(work) for it in _values(manifest)}
        applied = next((c for c in (work.get("status") or {}).get("conditions") or [] if _holds(c, "Applied")), None)
        if applied is None:
            refused = [c["message"] for m in _manifests(work) for c in m.get("conditions") or [] if c["status"] == "False"]
            untaken = f"the cluster's work agent has not taken the collaborator yet, which was sent{_at(_made(work))}"
            yield cluster, "; ".join(refused) or untaken
        elif told.get(REASON):
            yield cluster, told[REASON]
        elif progress is None or progress.clusters.get(cluster, ClusterProgress()).phase == "Waiting":
            on_its_way = _on_its_way(told.get(PHASE, ""), agents.get(cluster, ""), heard=progress is not None)
            yield cluster, f"{on_its_way}; the cluster took the collaborator{_at(applied.get('lastTransitionTime'))}"


def _on_its_way(pod: str, agent: str, *, heard: bool) -> str:
    """Of a collaborator that nothing is known to stop, and of which the aggregator has not said that it is there.

    Args:
        pod: its phase, as the cluster's agent reports it; empty if it has reported none.
        agent: what OCM says of the add-on on this cluster; empty where it is not enabled.
        heard: whether anything is heard of the aggregator.
    """
    if pod == "Running" and heard:
        return "its pod runs, and the aggregator has not heard of it yet"
    if pod == "Running":
        return "its pod runs; what it does the aggregator has yet to say"
    if pod:
        return "its pod is being started: volumes are mounted and images pulled"
    if not agent:
        return f"the add-on {ADDON} is not enabled on this cluster: its ManagedClusterAddOn is missing"
    said = "has not answered yet" if agent == "available" else f"is {agent}"
    return f"the add-on's agent {said}: see the ManagedClusterAddOn {ADDON} in the cluster's namespace"


def _at(time: str | None) -> str:
    return f" at {moment(datetime.fromisoformat(time))} UTC" if time else ""


def untold(fl: FederatedLearning, found: Observed) -> str:
    """What a silent aggregator may have done all the same."""
    if not found.silent_since:
        return ""
    return f"; what it has trained, perhaps the whole model, is in the volume claim {claim_name(fl)}"


def gateway(found: Observed) -> Hub | None:
    """Where spokes reach the aggregator, once it has an address."""
    return Hub(address=found.listener.address, port=found.listener.port) if found.listener else None


def _manifests(work: Object) -> list[Object]:
    return ((work.get("status") or {}).get("resourceStatus") or {}).get("manifests") or []


def _values(manifest: Object) -> list[Object]:
    return (manifest.get("statusFeedback") or {}).get("values") or []


def _artifact(fl: FederatedLearning, file: str, digest: str | None) -> Artifact | None:
    if digest is None:
        return None
    where = "/".join(filter(None, (fl.namespace, claim_name(fl), fl.spec.server.storage.folder, file)))
    return Artifact(uri=f"pvc://{where}", digest=f"sha256:{digest}")
