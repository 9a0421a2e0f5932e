"""The spoke's agent: every few seconds it looks at the collaborators' Jobs and pods and writes down what has changed.

It remembers nothing: what it wrote is read again each time. What fails is said and tried again, so that it never ends by itself.
"""

import logging
from collections.abc import Callable
from datetime import datetime
from threading import Event

from fedspoke.agent.lease import RENEWED, lease
from fedspoke.agent.report import podless, reports
from fedspoke.api.errors import Failed
from fedspoke.api.names import OURS
from fedspoke.kube.client import Kind, Kubernetes
from fedspoke.manifestworks.report import report_name

log = logging.getLogger("fedspoke")

LOOK = 5.0
"""Seconds between two looks. OCM's work agent asks for news every 10: a sentence is on the hub within 20."""

_POD, _JOB = Kind("v1", "Pod"), Kind("batch/v1", "Job")
_EVENT, _CONFIG_MAP = Kind("v1", "Event"), Kind("v1", "ConfigMap")


def run(kube: Kubernetes, namespace: str, holder: str, stopped: Event, now: Callable[[], datetime]) -> None:
    """Until it is stopped."""
    due, again = now(), LOOK
    while not stopped.is_set():
        try:
            if now() >= due:
                kube.apply(lease(namespace, holder, now()))
                due = now() + RENEWED / 2
            tell(kube, namespace)
            again = LOOK
        except Failed as failed:
            again = min(2 * again, RENEWED.total_seconds())
            log.warning("%s; tried again in %.0f s", failed, again)
        stopped.wait(again)


def tell(kube: Kubernetes, namespace: str) -> None:
    """Bring every federation's report up to date.

    Raises:
        Failed: the API server does not answer, or does not let us look.
    """
    pods, jobs = kube.all(_POD, namespace, OURS), kube.all(_JOB, namespace, OURS)
    pending = any((it.get("status") or {}).get("phase") == "Pending" for it in pods)
    silent = [*(["Pod"] if pending else []), *(["Job"] if podless(pods, jobs) else [])]  # they may have told events alone
    events = [
        it for kind in silent for it in kube.all(_EVENT, namespace, fields={"involvedObject.kind": kind, "type": "Warning"})
    ]
    for name, data in reports(pods, jobs, events).items():
        try:
            _write(kube, namespace, name, data)
        except Failed as failed:  # its right to write is not there yet, say; the other federations have theirs
            log.warning("%s is not reported: %s", name, failed)


def _write(kube: Kubernetes, namespace: str, name: str, data: dict[str, str]) -> None:
    there = kube.get(_CONFIG_MAP, report_name(name), namespace)
    if there is not None and there.get("data") != data:
        kube.merge(there, {"data": data})
        log.info("%s: %s%s", name, data["phase"], f", {data['reason']}" if data["reason"] else "")
