"""The end of a federation's folder: a Job that sees this folder and nothing else, and removes what lies in it."""

import hashlib
from datetime import datetime, timedelta

from fedspoke.agent.chores import chore
from fedspoke.agent.folders import Wipe
from fedspoke.agent.words import own_words
from fedspoke.api.base import Object
from fedspoke.api.names import ADDON, DOMAIN, OURS
from fedspoke.manifestworks.collaborator import Place

LABELS = OURS | {"app.kubernetes.io/component": "wiping"}
AGAIN = timedelta(minutes=1)
"""After which one that failed is tried again."""

_RUN, _CLAIM, _KEEPS = (f"{DOMAIN}/{it}" for it in ("run", "claim", "keeps-ledgers"))


def job(it: Wipe, image: str, namespace: str, owner: Object) -> Object:
    """The Job of one folder, so that it cannot be there twice."""
    digest = hashlib.sha256(f"{it.run} {it.claim}".encode()).hexdigest()[:16]
    folder = Place().output
    container = {
        "name": "wipe",
        "image": image,
        "command": ["fedspoke", "wipe", folder, *(["--keep-ledgers"] if it.keeps_ledgers else [])],
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"cpu": "1", "memory": "256Mi"}},
        "volumeMounts": [{"name": "output", "mountPath": folder, "subPath": it.run}],
    }
    metadata = {
        "name": f"{ADDON}-wipe-{digest}",
        "namespace": namespace,
        "labels": LABELS,
        "annotations": {_RUN: it.run, _CLAIM: it.claim, _KEEPS: str(it.keeps_ledgers).lower()},
        "ownerReferences": [owner],
    }
    return chore(metadata, container, [{"name": "output", "persistentVolumeClaim": {"claimName": it.claim}}])


def wipe_of(job: Object) -> Wipe:
    """What a Job is for."""
    of = job["metadata"].get("annotations") or {}
    return Wipe(of.get(_RUN, ""), of.get(_CLAIM, ""), keeps_ledgers=of.get(_KEEPS) == "true")


def outcome(job: Object, pod: Object | None) -> str | None:
    """Of a Job: empty if all is gone, else why it is not; None as long as it goes on."""
    for it in (job.get("status") or {}).get("conditions") or []:
        if (it["type"], it["status"]) == ("Complete", "True"):
            return ""
        if (it["type"], it["status"]) == ("Failed", "True"):
            return _words(pod) or f"its wiping was ended: {it.get('reason')}"
    return None


def rested(job: Object, now: datetime) -> bool:
    """Whether it is time to try again what a Job failed at."""
    times = [it.get("lastTransitionTime") for it in (job.get("status") or {}).get("conditions") or []]
    return all(now - datetime.fromisoformat(it) > AGAIN for it in times if it)


def _words(pod: Object | None) -> str:
    for it in ((pod or {}).get("status") or {}).get("containerStatuses") or []:
        if ended := (it.get("state") or {}).get("terminated"):
            return own_words(ended.get("message") or "") or f"its wiping ended with exit code {ended.get('exitCode')}"
    return ""
