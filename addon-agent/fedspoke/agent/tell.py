"""The agent's look at collaborators: why one does not run is written where the hub hears of it."""

import logging
from collections.abc import Mapping

from fedspoke.agent.asked import is_asked
from fedspoke.agent.report import podless, reports
from fedspoke.api.errors import Failed
from fedspoke.api.names import OURS
from fedspoke.kube.client import Kind, Kubernetes
from fedspoke.manifestworks.report import report_name

log = logging.getLogger("fedspoke")

_POD, _JOB = Kind("v1", "Pod"), Kind("batch/v1", "Job")
_EVENT, _CONFIG_MAP = Kind("v1", "Event"), Kind("v1", "ConfigMap")


def tell(kube: Kubernetes, namespace: str, refused: Mapping[str, str]) -> None:
    """Bring every federation's report up to date; some are refused, for a reason.

    Raises:
        Failed: the API server does not answer, or does not let us look.
    """
    pods = kube.all(_POD, namespace, OURS)
    jobs = [it for it in kube.all(_JOB, namespace, OURS) if not is_asked(it)]
    pending = any((it.get("status") or {}).get("phase") == "Pending" for it in pods)
    silent = [*(["Pod"] if pending else []), *(["Job"] if podless(pods, jobs) else [])]  # they may have told events alone
    events = [
        it for kind in silent for it in kube.all(_EVENT, namespace, fields={"involvedObject.kind": kind, "type": "Warning"})
    ]
    for name, data in reports(pods, jobs, events, refused).items():
        try:
            _write(kube, namespace, name, data)
        except Failed as failed:  # its right to write is not there yet, say; the other federations have theirs
            log.warning("%s is not reported: %s", name, failed)


def _write(kube: Kubernetes, namespace: str, name: str, data: dict[str, str]) -> None:
    there = kube.get(_CONFIG_MAP, report_name(name), namespace)
    if there is not None and there.get("data") != data:
        kube.merge(there, {"data": data})
        log.info("%s: %s%s", name, data["phase"], f", {data['reason']}" if data["reason"] else "")
