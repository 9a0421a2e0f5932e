"""The agent starts what the hub asks for and the owner allows, and ends what it allows no more."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from pydantic import ValidationError

from fedspoke.agent import key
from fedspoke.agent.asked import NotAllowed, Owner, asked_by, granted, is_asked, made_name, run_of, still_granted
from fedspoke.agent.tidy import settle
from fedspoke.api.base import Object
from fedspoke.api.errors import Failed, Refused
from fedspoke.api.names import FEDERATED_LEARNING, OURS
from fedspoke.api.records import HubGateway
from fedspoke.kube.client import Kind, Kubernetes
from fedspoke.manifestworks.collaborator import HUB_FILE

log = logging.getLogger("fedspoke")

_NONE: Mapping[str, str] = MappingProxyType({})
_JOB, _CONFIG_MAP = Kind("batch/v1", "Job"), Kind("v1", "ConfigMap")


def start(
    kube: Kubernetes, namespace: str, owner: Owner, lost: Mapping[str, str] = _NONE, withdrawn: set[str] | None = None
) -> dict[str, str]:
    """One look; by federation why it does not run here.

    Args:
        kube: the spoke.
        namespace: of the add-on.
        owner: what is offered and allowed.
        lost: by federation, why its hub is taken for gone.
        withdrawn: gets those federations that the owner does not let run.

    Raises:
        Failed: the API server does not let us look.
    """
    jobs = [it for it in kube.all(_JOB, namespace, OURS) if "deletionTimestamp" not in it["metadata"]]
    refused: dict[str, str] = {}
    asked = {it["metadata"]["uid"] for it in jobs if is_asked(it)}
    for it in jobs:
        if FEDERATED_LEARNING in it["metadata"]["labels"] and not is_asked(it) and asked_by(it) not in asked:
            kube.delete(it)  # it says that we made it, of a Job that nobody asks for
    for job in filter(is_asked, jobs):
        run, made = run_of(job), [it for it in jobs if asked_by(it) == job["metadata"]["uid"]]
        try:
            _answer(kube, job, made, owner, lost)
        except Refused as why:
            refused[run] = str(why)
            if isinstance(why, NotAllowed) and withdrawn is not None:
                withdrawn.add(run)
            refused[run] += _end(kube, job, made, why)
        except Failed as why:  # a quota of Jobs, say; the other federations have theirs
            refused[run] = f"its Job cannot be started: {why}"
    return refused


def _answer(kube: Kubernetes, job: Object, made: Sequence[Object], owner: Owner, lost: Mapping[str, str]) -> None:
    """Start one that is allowed and does not run; end what says that we made it, and is another.

    Raises:
        Refused: the owner does not offer or allow it, or its hub is gone.
        Failed: the API server does not let us.
    """
    if not job["spec"].get("suspend"):  # by a hub that does not ask
        kube.merge(job, {"spec": {"suspend": True}})
    run, namespace = run_of(job), job["metadata"]["namespace"]
    runs = [it for it in made if it["metadata"]["name"] == made_name(job) and key.has_key(it, run)]
    for it in runs:
        still_granted(key.without_key(it, run), owner)
    wanted = None if runs else granted(job, _settings(kube, job), owner)
    if run in lost:  # last, as the owner's word counts while the hub is gone, too
        raise Refused(lost[run])
    for it in made:
        if it not in runs:
            kube.delete(it)
    key.keep(kube, run, namespace)
    if wanted:
        settle(kube, wanted)
        kube.create(key.with_key(wanted, run))
        log.info("%s: started", run)


def _end(kube: Kubernetes, job: Object, made: Sequence[Object], why: Refused) -> str:
    """End what runs of it, and take its key away if the owner does not let it run; what of that cannot be done, in words."""
    run, namespace = run_of(job), job["metadata"]["namespace"]
    try:
        for it in made:
            kube.delete(it)
            log.info("%s: ended, %s", run, why)
        if isinstance(why, NotAllowed):  # else it may come back, and go on
            key.shred(kube, run, namespace)
    except Failed as error:
        return f"; but it cannot be ended: {error}"
    return ""


def gateways(kube: Kubernetes, namespace: str) -> Iterator[HubGateway]:
    """Where the hub of each federation is that is asked for."""
    for job in filter(is_asked, kube.all(_JOB, namespace, OURS)):
        try:
            yield HubGateway.model_validate_json(_settings(kube, job).get(HUB_FILE, ""))
        except ValidationError:  # its ConfigMap is not there yet
            log.info("%s: nothing says where its hub is", run_of(job))


def _settings(kube: Kubernetes, job: Object) -> Mapping[str, str]:
    """The files of a federation's ConfigMap."""
    return (kube.get(_CONFIG_MAP, run_of(job), job["metadata"]["namespace"]) or {}).get("data") or {}
