"""The agent's look at what is offered: it has at most two datasets inspected at once, and writes down what came of it.

Like the rest of the agent it remembers nothing: Jobs and a ConfigMap say what is under way and what is known.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from fedspoke.agent import inspection
from fedspoke.agent.datasets import Dataset, due, known
from fedspoke.agent.inspection import Outcome
from fedspoke.agent.offers import Offer, offers
from fedspoke.agent.report import discreet
from fedspoke.api.base import Object
from fedspoke.api.errors import Failed
from fedspoke.api.names import OFFERS
from fedspoke.kube.client import Kind, Kubernetes, reference
from fedspoke.kube.jobs import unmade
from fedspoke.kube.pods import stuck
from fedspoke.manifestworks.collaborator import DATASETS

log = logging.getLogger("fedspoke")

AT_ONCE = 2
"""Inspections: a cluster has other things to do."""

_JOB, _POD, _EVENT = Kind("batch/v1", "Job"), Kind("v1", "Pod"), Kind("v1", "Event")
_CLAIM, _CONFIG_MAP = Kind("v1", "PersistentVolumeClaim"), Kind("v1", "ConfigMap")


@dataclass(frozen=True, slots=True)
class Survey:
    """What is offered, and what is known of it."""

    offers: list[Offer] = field(default_factory=list)
    datasets: dict[str, Dataset] = field(default_factory=dict)


def survey(kube: Kubernetes, namespace: str, image: str, now: datetime) -> Survey:
    """One look: results are taken, what is due is begun, and the owner's ConfigMap is brought up to date.

    Raises:
        Failed: the API server does not answer, or does not let us look.
    """
    there = kube.get(_CONFIG_MAP, DATASETS, namespace)
    if there is None:
        raise Failed(f"there is no ConfigMap {DATASETS}, which comes with the agent")
    labelled = [it for kind in (_CLAIM, _CONFIG_MAP) for it in kube.all(kind, namespace, {OFFERS: None})]
    offered, refused = offers(labelled)
    before = known(there.get("data") or {})
    found, running = _results(kube, namespace, {it.key: it for it in offered}, before, now)
    datasets = {it.key: found[it.key] for it in offered if it.key in found}
    told = datasets | {key: _refused(before.get(key), why, now) for key, why in refused.items()}
    _write(kube, there, {key: it.model_dump_json(by_alias=True, exclude_none=True) for key, it in told.items()})
    waiting = [it for it in due(offered, datasets, now) if it.key not in running]
    for offer in waiting[: max(0, AT_ONCE - len(running))]:
        try:
            kube.create(inspection.job(offer, image, namespace, reference(there)))
        except Failed as failed:  # a quota of Jobs, say, which is not to hold up the rest
            log.warning("%s is not inspected: %s", offer.key, failed)
    return Survey(offered, datasets)


def _results(
    kube: Kubernetes, namespace: str, offered: Mapping[str, Offer], before: Mapping[str, Dataset], now: datetime
) -> tuple[dict[str, Dataset], set[str]]:
    """What is known by now, and which offers are being looked at, or still hold the place of one that is."""
    datasets, running = dict(before), set[str]()
    pods = {_job_name(it): it for it in kube.all(_POD, namespace, inspection.LABELS)}
    for job in kube.all(_JOB, namespace, inspection.LABELS):
        metadata, of = job["metadata"], job["metadata"].get("annotations") or {}
        key, version = of.get(inspection.KEY, ""), of.get(inspection.VERSION)
        running.add(key)
        if metadata.get("deletionTimestamp"):
            continue
        outdated = key not in offered or offered[key].version != version
        said = None if outdated else _said(kube, namespace, job, pods.get(metadata["name"]), now)
        if said is not None:
            datasets[key] = _dataset(before.get(key), offered[key], said, now)
            log.info("%s: %s", key, datasets[key].problem or "inspected")
        if outdated or said is not None:
            kube.delete(job)
    return datasets, running


def _said(kube: Kubernetes, namespace: str, job: Object, pod: Object | None, now: datetime) -> Outcome | None:
    """What came of a Job; one whose pod does not begin gives its place to another."""
    found = inspection.outcome(job, pod)
    if found or not inspection.waits(job, pod, now):
        return found
    name = (pod or job)["metadata"]["name"]
    events = kube.all(_EVENT, namespace, fields={"involvedObject.name": name, "type": "Warning"})
    why = stuck(discreet(pod), events) if pod else unmade(job, events)
    return Outcome(why or "its inspection does not begin", looked=False)


def _dataset(before: Dataset | None, offer: Offer, said: Outcome, now: datetime) -> Dataset:
    # What was known of one that nobody could look at is as true as before: its volume may be busy with training.
    counts, problem = said.counts if said.looked or before is None else before.counts, said.problem
    if counts and counts.platform != offer.platform:
        problem = f"it holds an export of {counts.platform}, and is offered as {offer.platform}'s"
    return Dataset(version=offer.version, at=now, counts=counts, problem=problem)


def _refused(before: Dataset | None, why: str, now: datetime) -> Dataset:
    new = Dataset(version="", at=now, problem=why)
    return before if before and before.problem == new.problem and not before.counts else new


def _write(kube: Kubernetes, there: Object, data: Mapping[str, str]) -> None:
    old = there.get("data") or {}
    if old != data:
        kube.merge(there, {"data": dict.fromkeys(old) | dict(data)})


def _job_name(pod: Object) -> str:
    return str((pod["metadata"].get("labels") or {}).get("batch.kubernetes.io/job-name"))
