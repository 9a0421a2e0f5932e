"""One federation brought nearer to what its resource asks for: look, decide, apply, prune, tell.

It may be called at any moment and any number of times, by a controller that was just started: all that it knows is in the API
server. When nothing is to be changed it only reads.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial

from fedspoke.api.base import Object
from fedspoke.api.errors import Failed, Refused
from fedspoke.api.federated_learning import FederatedLearning, FederatedLearningStatus
from fedspoke.api.names import FEDERATED_LEARNING, FINALIZER, RETRY, run_name
from fedspoke.api.status import ENDED
from fedspoke.hub.aggregator_workload import aggregator_name, progress_name
from fedspoke.hub.controller import asked, kinds, seen
from fedspoke.hub.controller.bindings import missing
from fedspoke.hub.controller.certificates import certificates
from fedspoke.hub.controller.difference import covers, difference, going, key
from fedspoke.hub.controller.events import transition
from fedspoke.hub.controller.shared import Shared
from fedspoke.hub.controller.world import World, look, owned, works
from fedspoke.hub.observed import Observed, unplaced
from fedspoke.hub.reconcile import Images, Site, wanted
from fedspoke.hub.status import mirrored, status
from fedspoke.hub.trust import Trust
from fedspoke.kube.client import MANAGER, Kubernetes, MissingKindError, kind_of, reference
from fedspoke.placement.objects import bindings, placement

log = logging.getLogger("fedspoke")

RESYNC = timedelta(minutes=5)
"""Between two looks at a federation of which nothing is heard."""
_WATCHED = timedelta(seconds=15)
"""The same while it is under way: pods are not watched."""
_SWEPT = timedelta(hours=1)
"""The same of one that has ended and of which nothing is left."""
_SOON = timedelta(seconds=1)
_GRACE = timedelta(seconds=15)
"""In which the aggregator itself says that the deadline has passed."""
_COLLECTORS = ("foregroundDeletion", "orphan")  # finalizers of Kubernetes' garbage collector, which needs nobody's help
_SHOWN = 3  # of what the API server refuses at once


@dataclass(slots=True)
class Controller:
    """What is the same for all federations; `trust` is replaced when the authority is renewed."""

    kube: Kubernetes
    trust: Trust
    images: Images = field(default_factory=Images)
    openshift: bool = False
    shared: Shared = field(init=False)

    def __post_init__(self) -> None:
        self.shared = Shared(self.kube)

    def converge(self, namespace: str, name: str, now: datetime) -> timedelta | None:
        """One step; when the next is due if nothing is heard before, or None where there is nothing left to do.

        Raises:
            Failed: the API server does not do what it is asked, as the federation's status says by then, if that can be said.
            Refused: the authority is of no use.
        """
        live = self.kube.get(kinds.FEDERATED_LEARNING, name, namespace)
        if live is None:
            return None
        try:
            return self._step(live, asked.last_status(live), now)
        except _Told:
            raise
        except Exception as error:  # the person who waits reads the status, not our log
            own = isinstance(error, Failed | Refused)
            why = (
                str(error)
                if own
                else f"the controller met an error of its own ({type(error).__name__}: {error}); its log says more"
            )
            live = self.kube.get(kinds.FEDERATED_LEARNING, name, namespace)
            if live and (before := asked.last_status(live)).phase not in ENDED:  # how it ended stays said
                self._tell(live, before, asked.unseen(before, why, live, now), now)
            raise

    def _step(self, live: Object, before: FederatedLearningStatus, now: datetime) -> timedelta | None:
        if going(live):
            return self._clean(live, before, now)
        if FINALIZER not in live["metadata"].get("finalizers", []):
            live = self._finalizers(live, [*live["metadata"].get("finalizers", []), FINALIZER])
        if why := asked.again(live, before):
            return self._begin_anew(live, before, why, now)
        if RETRY in (live["metadata"].get("annotations") or {}):  # it is tried again, or there is nothing to try again
            live = self.kube.merge(live, {"metadata": {"annotations": {RETRY: None}}})
        if before.phase in ENDED:
            return self._retire(live, before, now)
        try:
            fl = asked.supported(live)
        except Refused as error:  # the API server was asked to refuse it too; another version's definition may be installed
            return self._tell(live, before, asked.refused(before, str(error), live, now), now)
        return self._suspended(live, fl, before, now) if fl.spec.suspend else self._go_on(live, fl, before, now)

    def _go_on(self, live: Object, fl: FederatedLearning, before: FederatedLearningStatus, now: datetime) -> timedelta:
        start = before.start_time or now.replace(microsecond=0)
        before = before.model_copy(update={"start_time": start})
        world, deadline, attempt = look(self.kube, self.shared, fl), start + fl.spec.deadline, start.isoformat()
        found = seen.observed(fl, world, before.listeners, attempt, now)
        if now > deadline + _GRACE and not (found.progress and found.progress.phase in ENDED):
            words = status(fl, found, before, now).message
            passed = f"not completed within spec.deadline, which passed at {deadline.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
            found = replace(found, failure=f"{passed}; the last word was: {words}{seen.untold(fl, found)}")
        new = status(fl, found, before, now)
        if new.phase in ENDED:
            return self._tell(live, before, new, now)
        site = Site(
            hub_id=self.trust.hub,
            gateway=seen.gateway(found),
            deadline=deadline,
            attempt=attempt,
            account=seen.new_account(fl, world),
            images=self.images,
            hub_place=replace(seen.listens(world), openshift=self.openshift, pull_secrets=world.pull_secrets),
        )
        try:
            self._run(live, fl, world, found, site, now)
        except Failed as error:
            self._tell(live, before, status(fl, replace(found, trouble=str(error)), before, now), now)
            raise _Told(str(error)) from error
        return self._tell(live, before, new, now)

    def _run(self, live: Object, fl: FederatedLearning, world: World, found: Observed, site: Site, now: datetime) -> None:
        """The aggregator, once there are clusters enough to begin with, and the clusters' works, once it has an address."""
        deployment = world.named(kinds.DEPLOYMENT.kind, aggregator_name(fl))
        begun = deployment is not None and not going(deployment)
        chosen = seen.spokes(fl, world, found.decision) if begun or not unplaced(fl, found.decision) else []
        made = [self._certified(live, fl, world, now)] if chosen else []
        at_work = {spoke.cluster for spoke in chosen}

        def superfluous(it: Object) -> bool:
            if it["kind"] == kinds.WORK.kind:  # an address that is not known for a moment ends no work
                return it["metadata"]["namespace"] not in at_work
            return not begun or bool(chosen)  # while no cluster is chosen, an aggregator waits for one that comes back

        self._apply(live, world, [*made, *wanted(fl, chosen, site)], superfluous)

    def _certified(self, live: Object, fl: FederatedLearning, world: World, now: datetime) -> Object:
        """What the gateway believes, once its own certificate is written: that tells so, and comes after it."""
        secret, believed = certificates(fl, self.trust, world, now)
        name = believed["metadata"]["name"]
        holder = world.named(kinds.CONFIG_MAP.kind, name)
        if secret and not (holder and going(holder)):
            unsaid = believed["metadata"] | {"annotations": {}}
            holder = holder or self._make(_owned(believed | {"metadata": unsaid}, reference(live)))
            owned = secret["metadata"] | {"ownerReferences": [reference(holder)]}
            self.kube.apply(secret | {"metadata": owned}, force=False)  # one of this name that is somebody else's stays as it is
        return believed

    def _suspended(self, live: Object, fl: FederatedLearning, before: FederatedLearningStatus, now: datetime) -> timedelta:
        """Nothing runs; what is done is in the volume, and the deadline's clock begins anew, as a Job's does."""
        world = look(self.kube, self.shared, fl)
        told = progress_name(fl.name)
        self._apply(live, world, [*bindings(fl), placement(fl)], lambda it: it["metadata"]["name"] != told)
        waits = "spec.suspend to become false"
        found = replace(seen.observed(fl, world, before.listeners, "", now), progress=None, waits=waits, silent_since=None)
        new = status(fl, found, before, now)
        done = new.rounds.completed if new.rounds else 0
        since = next(it.last_transition_time for it in new.conditions if it.type == "Suspended").astimezone(UTC)
        words = f"suspended by spec.suspend since {since:%Y-%m-%d %H:%M:%S} UTC, after {done} of {fl.spec.server.rounds} rounds"
        words += f"; it goes on once that is false{f'; {_awaited(world.works)}' if world.works else ''}"
        self._tell(live, before, new.model_copy(update={"phase": "Waiting", "message": words, "start_time": None}), now)
        return RESYNC

    def _apply(self, live: Object, world: World, objects: Sequence[Object], superfluous: Callable[[Object], bool]) -> None:
        """What differs, each by itself: a cluster whose namespace is being deleted does not stop the others."""
        owner, refused = reference(live), list[str]()
        shared = [it for it in objects if FEDERATED_LEARNING not in it["metadata"]["labels"]]
        own = [_owned(it, owner) for it in objects if it not in shared]
        there = [*world.owned, *world.works]
        change, known = difference(own, there), set(map(key, there))
        for it in missing([it for it in shared if it["kind"] == kinds.BINDING.kind], world.fleet.bindings, owner):
            refused += _refusal(partial(self.kube.apply, it, f"{MANAGER}-{owner['uid']}"))
        for it in [it for it in shared if it["kind"] == kinds.CLAIM.kind and not world.claims]:
            refused += _refusal(partial(self.kube.create, it))  # and not applied: one that is there by now stays as it is
        for it in change.apply:
            refused += _refusal(partial(self.kube.apply if key(it) in known else self._make, it))
        for it in change.delete:
            if it["kind"] != kinds.CLAIM.kind and superfluous(it):  # what was trained outlives the run
                refused += _refusal(partial(self.kube.delete, it))
        if refused:
            more = f"; and {len(refused) - _SHOWN} more" if len(refused) > _SHOWN else ""
            raise Failed(f"{'; '.join(refused[:_SHOWN])}{more}")

    def _make(self, wanted: Object) -> Object:
        """A new object, unless there is one of that name, which is somebody else's."""
        metadata, kind = wanted["metadata"], kind_of(wanted)
        for it in self.kube.all(kind, metadata.get("namespace"), fields={"metadata.name": metadata["name"]}):
            if (it["metadata"].get("labels") or {}).get(FEDERATED_LEARNING) != metadata["labels"][FEDERATED_LEARNING]:
                where = f"{kind.kind} {metadata['name']} in {metadata['namespace']}"
                raise Failed(f"{where} is not this federation's: remove it, or give the federation another name")
        return self.kube.apply(wanted)

    def _tell(self, live: Object, before: FederatedLearningStatus, new: FederatedLearningStatus, now: datetime) -> timedelta:
        said = new.model_dump(mode="json", by_alias=True, exclude_none=True)
        if not covers(live["metadata"].get("labels") or {}, mirrored(new)):
            live = self.kube.merge(live, {"metadata": {"labels": mirrored(new)}})
        if live.get("status") != said and self.kube.replace(live | {"status": said}, "status") is None:
            return _SOON  # somebody changed it meanwhile
        if event := transition(live, before, new, now):
            run = run_name(live["metadata"]["namespace"], live["metadata"]["name"])
            log.info("%s: %s, %s", run, new.phase, new.message, extra={"federation": run})
            try:
                self.kube.create(event)
            except Failed as error:  # a quota, say: the status says the same, and stands
                log.warning("%s: no event of this: %s", run, error, extra={"federation": run})
        return _SOON if new.phase in ENDED else _WATCHED

    def _retire(self, live: Object, before: FederatedLearningStatus, now: datetime) -> timedelta:
        """What ran is not needed any more; what it made is."""
        quiet = _SWEPT if not self._sweep(live) else RESYNC
        keep = live["spec"].get("ttlSecondsAfterFinished")
        if keep is None or before.completion_time is None:
            return quiet
        end = before.completion_time + timedelta(seconds=keep)
        if end > now:
            return min(quiet, end - now)
        self.kube.delete(live)
        return _SOON

    def _clean(self, live: Object, before: FederatedLearningStatus, now: datetime) -> timedelta | None:
        """The works of all clusters go, and then our finalizer; the rest is the garbage collector's."""
        metadata = live["metadata"]
        if FINALIZER not in metadata.get("finalizers", []):
            return None
        try:
            left = works(self.kube, metadata["namespace"], metadata["name"])
        except MissingKindError:  # OCM has gone from the hub, and with it every work
            left = []
        if not left:
            if others := [it for it in metadata["finalizers"] if it not in (FINALIZER, *_COLLECTORS)]:
                words = f"what ran is taken away; deleted once whoever set {' and '.join(others)} takes that finalizer away"
                self._tell(live, before, before.model_copy(update={"message": words}), now)
                live = self.kube.get(kinds.FEDERATED_LEARNING, metadata["name"], metadata["namespace"]) or live
                metadata = live["metadata"]
            self._finalizers(live, [it for it in metadata["finalizers"] if it != FINALIZER])
            return None
        self._sweep(live)
        words = f"being deleted since {metadata['deletionTimestamp']}: {_awaited(left)}"
        self._tell(live, before, before.model_copy(update={"message": words}), now)
        return _WATCHED

    def _begin_anew(self, live: Object, before: FederatedLearningStatus, why: str, now: datetime) -> timedelta:
        """What an attempt that failed said of itself must not be taken for the next one's."""
        self._sweep(live)
        generation, start = live["metadata"].get("generation"), now.replace(microsecond=0)
        new = FederatedLearningStatus(message=why, observed_generation=generation, start_time=start)
        self._tell(live, before, new, now)
        return _SOON

    def _sweep(self, live: Object) -> bool:
        """All that runs for it, and what it says of itself; the volume stays. Whether anything was there."""
        where = live["metadata"]["namespace"], live["metadata"]["name"]
        found = [it for it in [*owned(self.kube, *where), *works(self.kube, *where)] if it["kind"] != kinds.CLAIM.kind]
        for it in found:
            if not going(it):
                self.kube.delete(it)
        return bool(found)

    def _finalizers(self, live: Object, finalizers: Sequence[str]) -> Object:
        version = live["metadata"]["resourceVersion"]  # the list is written whole: not over another's finalizer
        return self.kube.merge(live, {"metadata": {"finalizers": list(finalizers), "resourceVersion": version}})


class _Told(Failed):
    """The status says it already."""


def _refusal(call: Callable[[], object]) -> list[str]:
    try:
        call()
    except Failed as error:
        return [str(error)]
    return []


def _awaited(works: Sequence[Object]) -> str:
    """Whose agents have yet to end what ran there."""
    clusters = ", ".join(sorted(it["metadata"]["namespace"] for it in works))
    return f"waiting for {clusters} to take away what ran there"


def _owned(it: Object, owner: Object) -> Object:
    """Gone with the federation; a ManifestWork is in another namespace, where that does not hold."""
    if it["kind"] == kinds.WORK.kind:
        return it
    ours = owner | {"controller": True, "blockOwnerDeletion": True}
    return it | {"metadata": it["metadata"] | {"ownerReferences": [ours]}}
