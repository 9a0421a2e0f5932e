"""The agent starts what the hub asks for and the owner allows, and ends what it allows no more."""

import logging

from fedspoke.agent.asked import Owner, asked_by, granted, is_asked, run_of, still_granted
from fedspoke.api.errors import Failed, Refused
from fedspoke.api.names import OURS
from fedspoke.kube.client import Kind, Kubernetes

log = logging.getLogger("fedspoke")

_JOB, _CONFIG_MAP = Kind("batch/v1", "Job"), Kind("v1", "ConfigMap")


def start(kube: Kubernetes, namespace: str, owner: Owner) -> dict[str, str]:
    """One look; by federation why it does not run here.

    Raises:
        Failed: the API server does not let us look.
    """
    jobs = [it for it in kube.all(_JOB, namespace, OURS) if "deletionTimestamp" not in it["metadata"]]
    made = {uid: it for it in jobs if (uid := asked_by(it))}
    refused: dict[str, str] = {}
    for job in filter(is_asked, jobs):
        if not job["spec"].get("suspend"):  # by a hub that does not ask
            job = kube.merge(job, {"spec": {"suspend": True}})  # noqa: PLW2901  as it is by now
        settings = (kube.get(_CONFIG_MAP, run_of(job), namespace) or {}).get("data") or {}
        runs = made.get(job["metadata"]["uid"])
        try:
            if runs:
                still_granted(runs, settings, owner)
            else:
                kube.create(granted(job, settings, owner))
                log.info("%s: started", run_of(job))
        except Refused as why:
            refused[run_of(job)] = str(why)
            if runs:
                kube.delete(runs)
                log.info("%s: ended, %s", run_of(job), why)
        except Failed as why:  # a quota of Jobs, say; the other federations have theirs
            refused[run_of(job)] = f"its Job cannot be made: {why}"
    return refused
