"""One federation brought nearer to what its resource asks for: look, decide, apply, prune, tell.

It may be called at any moment and any number of times, by a controller that was just started: all that it knows is in the API
server. When nothing is to be changed it only reads.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from pydantic import ValidationError

from fedspoke.api import parse
from fedspoke.api.base import Object
from fedspoke.api.errors import Failed, Refused
from fedspoke.api.federated_learning import FederatedLearning, FederatedLearningStatus
from fedspoke.api.names import FEDERATED_LEARNING, FINALIZER, RETRY, run_name
from fedspoke.api.status import ENDED
from fedspoke.hub.aggregator_workload import aggregator_name
from fedspoke.hub.controller import kinds, seen
from fedspoke.hub.controller.certificates import certificates
from fedspoke.hub.controller.difference import covers, difference
from fedspoke.hub.controller.events import transition
from fedspoke.hub.controller.world import World, look, owned
from fedspoke.hub.observed import Observed, unplaced
from fedspoke.hub.reconcile import Site, wanted
from fedspoke.hub.status import mirrored, status
from fedspoke.hub.trust import Trust
from fedspoke.hub.unsupported import unsupported
from fedspoke.kube.client import Kubernetes
from fedspoke.manifestworks.collaborator import Hub
from fedspoke.placement.objects import bindings, placement

log = logging.getLogger("fedspoke")

RESYNC = timedelta(minutes=5)
"""Between two looks at a federation of which nothing is heard."""
_WATCHED = timedelta(seconds=15)
"""The same while it is under way: pods are not watched."""
_GRACE = timedelta(seconds=15)
"""In which the aggregator itself says that the deadline has passed."""


@dataclass(slots=True)
class Controller:
    """What is the same for all federations; `trust` is replaced when the authority is renewed."""

    kube: Kubernetes
    trust: Trust

    def converge(self, namespace: str, name: str, now: datetime) -> timedelta | None:
        """One step; when the next is due if nothing is heard before, or None where there is nothing left to do.

        Raises:
            Failed: the API server does not do what it is asked.
        """
        live = self.kube.get(kinds.FEDERATED_LEARNING, name, namespace)
        if live is None:
            return None
        if "deletionTimestamp" in live["metadata"]:
            return self._clean(live)
        if FINALIZER not in live["metadata"].get("finalizers", []):
            finalizers = [*live["metadata"].get("finalizers", []), FINALIZER]
            live = self.kube.merge(live, {"metadata": {"finalizers": finalizers}})
        before = _before(live)
        try:
            fl = _supported(live)
        except Refused as error:  # the API server was asked to refuse it too; another version's definition may be installed
            return self._tell(live, before, _refused(before, str(error), live, now))
        if again := _again(live, before):
            if RETRY in live["metadata"].get("annotations", {}):
                live = self.kube.merge(live, {"metadata": {"annotations": {RETRY: None}}})
            self._forget(fl)
            log.info("%s: %s", run_name(namespace, name), again)
            before = FederatedLearningStatus()
        if before.phase in ENDED:
            return self._retire(live, fl, before, now)
        return self._suspended(live, fl, before) if fl.spec.suspend else self._go_on(live, fl, before, now)

    def _go_on(self, live: Object, fl: FederatedLearning, before: FederatedLearningStatus, now: datetime) -> timedelta | None:
        start = before.start_time or now.replace(microsecond=0)
        before = before.model_copy(update={"start_time": start})
        world, deadline, attempt = look(self.kube, fl), start + fl.spec.deadline, start.isoformat()
        found = seen.observed(fl, world, attempt, now)
        if now > deadline + _GRACE and not (found.progress and found.progress.phase in ENDED):
            words = status(fl, found, before, now).message
            found = replace(found, failure=f"not completed within spec.deadline; the last word was: {words}")
        site = Site(hub_id=self.trust.hub, gateway=_gateway(found), deadline=deadline, attempt=attempt)
        try:
            self._apply(live, fl, [*world.owned, *world.works], self._wanted(fl, world, found, site, now))
        except Failed as error:  # the person who waits reads the status, not our log
            self._tell(live, before, status(fl, replace(found, waits=f"the hub's API server: {error}"), before, now))
            raise
        return self._tell(live, before, status(fl, found, before, now))

    def _suspended(self, live: Object, fl: FederatedLearning, before: FederatedLearningStatus) -> timedelta | None:
        """Nothing runs; what is done is in the volume, and the deadline's clock begins anew, as a Job's does."""
        self._apply(live, fl, [*owned(self.kube, fl), *self._works(fl)], [*bindings(fl), placement(fl)])
        done = before.rounds.completed if before.rounds else 0
        words = f"suspended by spec.suspend after {done} of {fl.spec.server.rounds} rounds; it goes on once that is false"
        changes = {"phase": "Waiting", "message": words, "start_time": None, "observed_generation": fl.generation}
        self._tell(live, before, before.model_copy(update=changes))
        return RESYNC

    def _wanted(self, fl: FederatedLearning, world: World, found: Observed, site: Site, now: datetime) -> list[Object]:
        begun = world.named(kinds.DEPLOYMENT.kind, aggregator_name(fl)) is not None
        chosen = seen.spokes(fl, world, found.decision) if begun or not unplaced(fl, found.decision) else []
        made = certificates(fl, self.trust, world, now) if chosen else []
        return [*made, *wanted(fl, chosen, site)]

    def _apply(self, live: Object, fl: FederatedLearning, there: Sequence[Object], objects: Sequence[Object]) -> None:
        ours = [_owned(it, live) if it["metadata"]["namespace"] == fl.namespace else it for it in objects]
        change = difference(ours, there)
        for it in change.apply:
            self.kube.apply(it)
        for it in change.delete:
            if it["kind"] != kinds.CLAIM.kind:  # what was trained outlives the run
                self.kube.delete(it)

    def _tell(self, live: Object, before: FederatedLearningStatus, new: FederatedLearningStatus) -> timedelta | None:
        said = new.model_dump(mode="json", by_alias=True, exclude_none=True)
        if not covers(live["metadata"].get("labels") or {}, mirrored(new)):
            live = self.kube.merge(live, {"metadata": {"labels": mirrored(new)}})
        if live.get("status") != said and self.kube.replace(live | {"status": said}, "status") is None:
            return timedelta(seconds=1)  # somebody changed it meanwhile
        if event := transition(live, before, new):
            self.kube.create(event)
        return timedelta(seconds=1) if new.phase in ENDED else _WATCHED

    def _retire(self, live: Object, fl: FederatedLearning, before: FederatedLearningStatus, now: datetime) -> timedelta | None:
        """What ran is not needed any more; what it made is."""
        for it in [*owned(self.kube, fl), *self._works(fl)]:
            if it["kind"] != kinds.CLAIM.kind and "deletionTimestamp" not in it["metadata"]:
                self.kube.delete(it)
        if fl.spec.ttl_seconds_after_finished is None or before.completion_time is None:
            return RESYNC
        end = before.completion_time + timedelta(seconds=fl.spec.ttl_seconds_after_finished)
        if end <= now:
            self.kube.delete(live)
            return None
        return min(RESYNC, end - now)

    def _clean(self, live: Object) -> timedelta | None:
        """The works of all clusters go, and then our finalizer; the rest is the garbage collector's."""
        works = self.kube.all(kinds.WORK, labels=_label(live["metadata"]["namespace"], live["metadata"]["name"]))
        for it in works:
            if "deletionTimestamp" not in it["metadata"]:
                self.kube.delete(it)
        finalizers = live["metadata"].get("finalizers", [])
        if works:
            return timedelta(seconds=2)
        if FINALIZER in finalizers:
            self.kube.merge(live, {"metadata": {"finalizers": [it for it in finalizers if it != FINALIZER]}})
        return None

    def _forget(self, fl: FederatedLearning) -> None:
        """An attempt that failed: what it said of itself must not be taken for the next one's."""
        for it in [*owned(self.kube, fl), *self._works(fl)]:
            if it["kind"] != kinds.CLAIM.kind:
                self.kube.delete(it)

    def _works(self, fl: FederatedLearning) -> list[Object]:
        return self.kube.all(kinds.WORK, labels=_label(fl.namespace, fl.name))


def _gateway(found: Observed) -> Hub | None:
    return Hub(address=found.listener.address, port=found.listener.port) if found.listener else None


def _label(namespace: str, name: str) -> Mapping[str, str]:
    return {FEDERATED_LEARNING: run_name(namespace, name)}


def _before(live: Object) -> FederatedLearningStatus:
    """The status that was written last; none where another version wrote one that means nothing here."""
    said = {key: value for key, value in (live.get("status") or {}).items() if key != "summary"}
    try:
        return FederatedLearningStatus.model_validate(said)
    except ValidationError:
        return FederatedLearningStatus()


def _supported(live: Object) -> FederatedLearning:
    fl = parse.federated_learning(_bare(live))
    if wishes := unsupported(fl.spec):
        raise Refused("; ".join(wishes))
    return fl


def _bare(live: Object) -> Object:
    """The object as a user would have written it."""
    metadata = {key: live["metadata"][key] for key in ("name", "namespace", "generation") if key in live["metadata"]}
    return {"apiVersion": live["apiVersion"], "kind": live["kind"], "metadata": metadata, "spec": live.get("spec") or {}}


def _again(live: Object, before: FederatedLearningStatus) -> str:
    """Why a federation that has failed begins anew; empty if it does not."""
    if before.phase != "Failed":
        return ""
    if RETRY in (live["metadata"].get("annotations") or {}):
        return f"tried again, as the annotation {RETRY} asks"
    if before.observed_generation != live["metadata"].get("generation"):
        return "tried again, as its spec was changed"
    return ""


def _refused(before: FederatedLearningStatus, why: str, live: Object, now: datetime) -> FederatedLearningStatus:
    return FederatedLearningStatus(
        phase="Failed",
        message=why,
        observed_generation=live["metadata"].get("generation"),
        start_time=before.start_time or now,
        completion_time=before.completion_time or now,
    )


def _owned(it: Object, owner: Object) -> Object:
    """Gone with the federation."""
    reference = {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    return it | {"metadata": it["metadata"] | {"ownerReferences": [reference]}}
