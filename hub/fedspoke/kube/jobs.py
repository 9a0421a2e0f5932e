"""Why a Job has no pod, in one sentence: a quota, or an admission that refuses it. No status says so, only an event."""

from collections.abc import Sequence

from fedspoke.api.base import Object
from fedspoke.kube.pods import sentence, time

_REFUSED = "FailedCreate"
_PREFIX = "Error creating: "


def unmade(job: Object, events: Sequence[Object]) -> str:
    """What the API server said when a pod was asked for last, or why the Job asks no more; empty if neither is known.

    Args:
        job: as the API server has it; it has no pod.
        events: of its namespace.
    """
    for it in (job.get("status") or {}).get("conditions") or []:
        if (it["type"], it["status"]) == ("Failed", "True"):
            return sentence(f"its Job has given up ({it.get('reason')})", it.get("message"))
    uid = job["metadata"]["uid"]
    ours = [it for it in events if it["involvedObject"].get("uid") == uid and it.get("reason") == _REFUSED]
    if not ours:
        return ""
    return sentence("its pod cannot be made", (max(ours, key=time).get("message") or "").removeprefix(_PREFIX))
