"""Why a pod does not run, in one sentence: what `kubectl describe pod` would be read for.

Whatever a status says is worth telling, even of a container that is about to be started again: it ended for a reason.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from fedspoke.api.base import Object

_LONGEST = 1000
_PULL = {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError", "RegistryUnavailable"}
_BEGINNING = {"ContainerCreating", "PodInitializing"}
_BEFORE = {"FailedMount", "FailedAttachVolume", "FailedMapVolume", "FailedCreatePodSandBox"}  # all else shows in the status
_NO_CLAIMS = " no new claims to deallocate,"  # said of every pod that no node takes
_BACK_OFF = "CrashLoopBackOff"  # what it says is in how the container ended
START_ERROR = "StartError"
"""Of a container that never ran: its message is the container runtime's."""
_LATELY = timedelta(minutes=5)
_PHRASES = (  # what the scheduler says, and what it means
    (re.compile(r"Insufficient ([^\s,.]+(?:\.[^\s,.]+)*)"), "no node has enough {} free"),
    (re.compile(r"untolerated taint(?:\(s\))?(?: \{(.+?)\})?"), "it does not tolerate the taint of a node {}"),
    (re.compile(r"didn't match Pod's node (affinity/selector|selector)"), "no node has the labels of its node selector"),
    (re.compile(r'persistentvolumeclaim "(.+?)" not found'), "the volume claim {} does not exist"),
    (re.compile(r"unbound immediate (PersistentVolumeClaims)"), "a volume claim is not bound, of {claims}"),
    (re.compile(r"didn't find available (persistent volumes) to bind"), "a volume claim is not bound, of {claims}"),
    (re.compile(r"(volume node affinity conflict)"), "its volume is on another node"),
)
_MOUNT = re.compile(r'Mount\w*\.\w+ failed for volume "(.+?)" ?: ?(.*)', re.DOTALL)


def stuck(pod: Object, events: Sequence[Object] = ()) -> str:
    """The first thing that keeps the pod from running; empty if nothing does.

    Args:
        pod: as the API server has it.
        events: of its namespace; a volume that cannot be mounted is told of nowhere else.
    """
    status = pod.get("status") or {}
    if status.get("reason"):  # Evicted, NodeLost, UnexpectedAdmissionError …
        return sentence(status["reason"], status.get("message"))
    found = (*_conditions(pod, status), *_containers(status), *_mounts(pod, status, events))
    return next(iter(found), "")


def restarted(pod: Object, now: datetime) -> str:
    """Which container ended in the last five minutes and runs again, how often that was, and why; empty if none did."""
    for it in _statuses(pod.get("status") or {}):
        ended = (it.get("lastState") or {}).get("terminated") or {}
        when = ended.get("finishedAt")  # null of a container that a kubelet does not find any more
        if "running" in it["state"] and when and now - datetime.fromisoformat(when) < _LATELY:
            return sentence(f"{it['name']} {_how(ended)}, and runs again{_again(it)}", ended.get("message"))
    return ""


def _conditions(pod: Object, status: Object) -> Iterator[str]:
    said = {(each["type"], each["status"]): each for each in status.get("conditions") or []}
    if it := said.get(("PodScheduled", "False")):
        message = " ".join((it.get("message") or "").split()).partition(" preemption:")[0].removesuffix(_NO_CLAIMS)
        yield sentence("; ".join(_meant(pod, message)) or "no node takes it", message)
    if it := said.get(("DisruptionTarget", "True")):
        yield sentence("it is being taken away", it.get("message"))


def _meant(pod: Object, message: str) -> Iterator[str]:
    volumes = pod["spec"].get("volumes") or []
    claims = ", ".join(it["persistentVolumeClaim"]["claimName"] for it in volumes if "persistentVolumeClaim" in it)
    for pattern, phrase in _PHRASES:
        for found in dict.fromkeys(pattern.findall(message)):
            yield phrase.format(found, claims=claims).strip()


def _containers(status: Object) -> Iterator[str]:
    for it in _statuses(status):
        state, name = it.get("state") or {}, it["name"]
        waiting = state.get("waiting") or {}
        ended = state.get("terminated") or (it.get("lastState") or {}).get("terminated") or {}
        reason = waiting.get("reason")
        if reason in _PULL:
            yield sentence(f"the image {it.get('image')} of {name} cannot be had ({reason})", waiting.get("message"))
        elif reason and reason not in _BEGINNING and reason != _BACK_OFF:
            yield sentence(f"{name} cannot be started ({reason})", waiting.get("message"))
        elif ended.get("exitCode") and "running" not in state:
            yield sentence(f"{name} {_how(ended)}{_again(it)}", ended.get("message"))


def _how(ended: Object) -> str:
    if ended.get("reason") == "OOMKilled":
        return "was killed, as it needs more memory than its limit (OOMKilled)"
    if ended.get("reason") == START_ERROR:
        return "could not be started"
    return f"ended with exit code {ended.get('exitCode')}"


def _again(container: Object) -> str:
    count = container.get("restartCount") or 0
    return f", after {count} restart{'s' if count > 1 else ''}" if count else ""


def _mounts(pod: Object, status: Object, events: Sequence[Object]) -> Iterator[str]:
    """As long as no container has begun; the events are still there when the volumes are."""
    reasons = {((it.get("state") or {}).get("waiting") or {}).get("reason") for it in _statuses(status)}
    if not reasons or not reasons <= _BEGINNING:
        return
    uid = pod["metadata"]["uid"]
    ours = [it for it in events if it["involvedObject"].get("uid") == uid and it.get("reason") in _BEFORE]
    for it in sorted(ours, key=time, reverse=True):
        mount = _MOUNT.search(it.get("message") or "")
        what, why = (f"the volume {mount[1]} cannot be mounted", mount[2]) if mount else (it["reason"], it.get("message"))
        yield sentence(what, why)


def _statuses(status: Object) -> list[Object]:
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]


def time(event: Object) -> str:
    """When an event happened last."""
    return str(event.get("lastTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp") or "")


def sentence(what: str, message: str | None) -> str:
    """What it means, and what Kubernetes says of it."""
    said = " ".join((message or "").split())
    return f"{what}: {said}"[:_LONGEST] if said else what
