"""A look into one offered dataset: a Job that can read it and nothing else, and whose last words are numbers.

It has no right on the API: what it found is in its container's termination message, which the agent reads and believes as far as
Counts goes. A volume may hold what an enemy made, so that its reader gets no more than a reader needs.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import ValidationError

from fedspoke.agent.chores import LONGEST, chore
from fedspoke.agent.datasets import Counts
from fedspoke.agent.offers import Offer
from fedspoke.agent.words import own_words
from fedspoke.api.base import Object
from fedspoke.api.names import ADDON, DOMAIN, OURS

LABELS = OURS | {"app.kubernetes.io/component": "inspection"}
KEY, VERSION = f"{DOMAIN}/offer", f"{DOMAIN}/offer-version"
"""Annotations of a Job: of which offer it is, and of which state of it."""
_PATIENCE = timedelta(minutes=2)  # a node that has no image of ours takes its time, too
_SEEN = "/data"
_SCRATCH = "/tmp"  # noqa: S108  the pod's own
_WORDS = 4096  # what Kubernetes keeps of a termination message


def job(offer: Offer, image: str, namespace: str, owner: Object) -> Object:
    """The Job of one offer in one state, so that it cannot be there twice."""
    digest = hashlib.sha256(f"{offer.key} {offer.version}".encode()).hexdigest()[:16]
    # The shell hands the numbers to where Kubernetes looks for last words; of a failure the log's end is taken.
    script = f"fedspoke data inspect {_SEEN} -o json > /dev/termination-log"
    container = {
        "name": "inspect",
        "image": image,
        "command": ["sh", "-c", script],
        "resources": {
            "requests": {"cpu": "50m", "memory": "64Mi"},
            "limits": {"cpu": "1", "memory": "512Mi", "ephemeral-storage": "64Mi"},
        },
        "volumeMounts": [
            {"name": "data", "mountPath": _SEEN, "readOnly": True},
            {"name": "tmp", "mountPath": _SCRATCH},
        ],
    }
    metadata = {
        "name": f"{ADDON}-inspect-{digest}",
        "namespace": namespace,
        "labels": LABELS,
        "annotations": {KEY: offer.key, VERSION: offer.version},
        "ownerReferences": [owner],
    }
    volumes: list[Object] = [{"name": "data"} | offer.volume, {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}}]
    return chore(metadata, container, volumes)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an inspection: numbers, or why there are none."""

    problem: str
    counts: Counts | None = None
    looked: bool = True
    """Whether the dataset itself is the reason, and not that nobody could look at it."""


def outcome(of: Object, pod: Object | None) -> Outcome | None:
    """Of a Job and its pod; None as long as it goes on."""
    for it in ((pod or {}).get("status") or {}).get("containerStatuses") or []:
        if ended := (it.get("state") or {}).get("terminated"):
            message = ended.get("message") or ""
            if ended.get("exitCode"):
                return Outcome(own_words(message) or f"it could not be read: its reader ended with {_how(ended)}")
            return counted(message)
    for it in (of.get("status") or {}).get("conditions") or []:
        if (it["type"], it["status"]) == ("Failed", "True"):
            late = it.get("reason") == "DeadlineExceeded"
            return Outcome(
                f"its inspection took longer than {LONGEST} s" if late else f"its inspection was ended: {it.get('reason')}"
            )
    return None


def waits(of: Object, pod: Object | None, now: datetime) -> bool:
    """Whether a Job's pod has not begun for so long that another's turn has come."""
    began = pod is not None and (pod.get("status") or {}).get("phase") != "Pending"
    made = datetime.fromisoformat(of["metadata"]["creationTimestamp"])
    return not began and now - made > _PATIENCE


def counted(message: str) -> Outcome:
    """The numbers of a termination message, which anybody may have written."""
    if len(message) > _WORDS:
        return Outcome("its inspection said more than numbers")
    try:
        counts = Counts.model_validate_json(message)
    except ValidationError:  # what is wrong with it may be a part of the data
        return Outcome("its inspection said what are no numbers")
    files = sum(counts.skipped.get(reason, 0) for reason in ("unreadable_json", "truncated_json"))
    return Outcome(f"{files} of the files that list its posts could not be read to the end" if files else "", counts)


def _how(ended: Object) -> str:
    reason = ended.get("reason") or ""
    return reason if reason in ("OOMKilled", "Evicted") else f"exit code {ended['exitCode']}"
