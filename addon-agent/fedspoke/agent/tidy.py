"""The agent's look at the folders of federations in volumes for outputs: one that nobody needs any more is wiped.

One at a time of each volume, and of two volumes at once: one that another node holds lets its own folders wait, and no other's.

Like the rest of the agent it remembers nothing: a ConfigMap says whose folders there are, and Jobs what is being wiped.
"""

import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from fedspoke.agent import wiping
from fedspoke.agent.asked import NotAllowed, Owner, granted, is_asked, run_of
from fedspoke.agent.folders import Folder, Place, Seen, Wipe, due, known, remaining, told, unwiped, wiped
from fedspoke.agent.outputs import Outputs, claim_of
from fedspoke.agent.wiping import outcome, rested, wipe_of
from fedspoke.api.base import Object
from fedspoke.api.errors import Failed, Refused
from fedspoke.api.names import FEDERATED_LEARNING, OURS
from fedspoke.kube.client import Kind, Kubernetes, reference
from fedspoke.manifestworks.collaborator import OUTPUTS

log = logging.getLogger("fedspoke")

_JOB, _POD = Kind("batch/v1", "Job"), Kind("v1", "Pod")
_CLAIM, _CONFIG_MAP = Kind("v1", "PersistentVolumeClaim"), Kind("v1", "ConfigMap")
_ENDED = ("Succeeded", "Failed")

AT_ONCE = 2
"""Volumes in which a folder is wiped."""


def tidy(kube: Kubernetes, namespace: str, image: str, owner: Owner, now: datetime) -> None:
    """One look: what was wiped is forgotten, and what is due is begun.

    Raises:
        Failed: the API server does not answer, or does not let us look.
    """
    there = kube.get(_CONFIG_MAP, OUTPUTS, namespace)
    before = known((there or {}).get("data") or {})
    if there is None or not before:
        return
    seen = _seen(kube, namespace, owner)
    folders = remaining(before, seen)
    wanted = due(folders, seen)
    pods = {
        (it["metadata"].get("labels") or {}).get("batch.kubernetes.io/job-name"): it
        for it in kube.all(_POD, namespace, wiping.LABELS)
    }
    jobs = kube.all(_JOB, namespace, wiping.LABELS)
    gone: list[Object] = []
    for job in jobs:
        of, came = wipe_of(job), outcome(job, pods.get(job["metadata"]["name"]))
        if came is None or job["metadata"].get("deletionTimestamp"):
            continue
        folders = unwiped(folders, of, came) if came else wiped(folders, of)
        if not came or of not in wanted or rested(job, now):
            gone.append(job)
            log.info("%s: its output is %s", of.run, came or "wiped")
    _write(kube, there, folders)
    for job in gone:  # only now, so that nobody forgets what came of it
        kube.delete(job)
    under_way = {wipe_of(it).claim for it in jobs if outcome(it, None) is None or it["metadata"].get("deletionTimestamp")}
    for it in _next(wanted, {wipe_of(it).place for it in jobs}, under_way):
        kube.create(wiping.job(it, image, namespace, reference(there)))


def settle(kube: Kubernetes, job: Object) -> None:
    """A Job that is about to be made has its folder to itself, and it is written down that it has one.

    Raises:
        Refused: what used the folder last has not ended yet.
        Failed: it cannot be written down.
    """
    claim, namespace, run = claim_of(job["spec"]["template"]["spec"]), job["metadata"]["namespace"], run_of(job)
    if claim is None:
        return
    there = kube.get(_CONFIG_MAP, OUTPUTS, namespace)
    if there is None:
        raise Failed(f"there is no ConfigMap {OUTPUTS}, which comes with the agent")
    if any(wipe_of(it).run == run for it in kube.all(_JOB, namespace, wiping.LABELS)):
        raise Refused("what it had left in its output is being wiped; it starts after that")
    if (run, claim) in _used(kube.all(_POD, namespace, {FEDERATED_LEARNING: run})):
        raise Refused("its pod before has not ended yet; it starts after that")
    _write(kube, there, known(there.get("data") or {}) | {(run, claim): Folder()})


def _next(wanted: Iterable[Wipe], busy: Collection[Place], under_way: Collection[str]) -> Iterable[Wipe]:
    """What is begun now: of each volume where none is under way the first that has no Job, as far as there is room."""
    free: dict[str, Wipe] = {}
    for it in wanted:
        if it.place not in busy and it.claim not in under_way:
            free.setdefault(it.claim, it)
    return [*free.values()][: max(0, AT_ONCE - len(under_way))]


def _seen(kube: Kubernetes, namespace: str, owner: Owner) -> Seen:
    ours = kube.all(_JOB, namespace, OURS)
    asked = [it for it in ours if is_asked(it) and not it["metadata"].get("deletionTimestamp")]
    settings = {
        it["metadata"]["name"]: it
        for it in kube.all(_CONFIG_MAP, namespace, {FEDERATED_LEARNING: None})
        if not it["metadata"].get("deletionTimestamp")
    }
    made = [it | {"spec": it["spec"]["template"]["spec"]} for it in ours if not is_asked(it)]
    return Seen(
        claims={it["metadata"]["name"] for it in kube.all(_CLAIM, namespace)},
        labelled=owner.outputs.claims,
        used=_used([*made, *kube.all(_POD, namespace, {FEDERATED_LEARNING: None})]),
        # Its Job is another one when what the hub asks for is another; its settings keep their name.
        alive={run_of(it) for it in [*asked, *settings.values()]},
        unwanted={run_of(it) for it in asked if _unwanted(it, settings.get(run_of(it)) or {}, owner)},
    )


def _unwanted(job: Object, settings: Object, owner: Owner) -> bool:
    """Whether the owner does not allow it. A policy that nobody understands is a mistake, and no such word."""
    if owner.policy is None:
        return False
    try:
        granted(job, settings.get("data") or {}, replace(owner, outputs=Outputs()))
    except NotAllowed:
        return True
    except Refused:  # for now
        pass
    return False


def _used(pods: Iterable[Object]) -> set[Place]:
    return {
        (it["metadata"]["labels"][FEDERATED_LEARNING], claim)
        for it in pods
        if FEDERATED_LEARNING in (it["metadata"].get("labels") or {})
        and (it.get("status") or {}).get("phase") not in _ENDED
        and (claim := claim_of(it["spec"]))
    }


def _write(kube: Kubernetes, there: Object, folders: Mapping[Place, Folder]) -> None:
    old, new = there.get("data") or {}, told(folders)
    if old != new:
        kube.merge(there, {"data": dict.fromkeys(old) | new})
