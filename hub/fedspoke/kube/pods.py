"""Why a pod does not run, in one sentence: what `kubectl describe pod` would be read for, from the pod's status alone."""

from collections.abc import Iterator

from fedspoke.api.base import Object

_PULL = {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError", "RegistryUnavailable"}
_BEGINNING = {"", "ContainerCreating", "PodInitializing"}


def stuck(pod: Object) -> str:
    """The first thing that keeps the pod from running; empty if nothing does.

    Whatever a status says is worth telling, even of a container that is started again: it ended for a reason.
    """
    status = pod.get("status") or {}
    if status.get("reason"):  # Evicted, NodeLost, Preempting …
        return _sentence(status["reason"], status.get("message"))
    return next(_unscheduled(status), "") or next(_containers(status), "")


def _unscheduled(status: Object) -> Iterator[str]:
    for condition in status.get("conditions") or []:
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            yield _sentence("no node takes it", condition.get("message"))


def _containers(status: Object) -> Iterator[str]:
    containers = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    for it in containers:
        waiting = (it.get("state") or {}).get("waiting") or {}
        ended = (it.get("state") or {}).get("terminated") or (it.get("lastState") or {}).get("terminated") or {}
        reason = waiting.get("reason") or ""
        if reason in _PULL:
            yield _sentence(f"image {it.get('image')} of {it['name']} cannot be had ({reason})", waiting.get("message"))
        elif ended and ended.get("exitCode") and not (it.get("state") or {}).get("running"):
            how = "was out of memory" if ended.get("reason") == "OOMKilled" else f"ended with status {ended['exitCode']}"
            yield _sentence(f"{it['name']} {how}", ended.get("message"))
        elif reason not in _BEGINNING:
            yield _sentence(f"{it['name']}: {reason}", waiting.get("message"))


def _sentence(what: str, message: str | None) -> str:
    said = " ".join((message or "").split())
    return f"{what}: {said}"[:1000] if said else what
