"""An export or a model into a volume of a cluster: makes what is missing there, sends, and goes on wherever the line is cut.

Every wait says what for and until when.
"""

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from fedspoke.api.backoff import Backoff, times
from fedspoke.api.base import Object
from fedspoke.api.errors import Failed, Final, Refused
from fedspoke.api.names import MODEL, UPLOADED, VOLUME
from fedspoke.data.progress import Progress
from fedspoke.kube.client import OPENSHIFT, Kind, Kubernetes
from fedspoke.kube.pods import stuck
from fedspoke.manifestworks.collaborator import AGENT, NAMESPACE
from fedspoke.upload import objects
from fedspoke.upload.content import Content
from fedspoke.upload.send import send

_CLAIM, _POD, _NODE = Kind("v1", "PersistentVolumeClaim"), Kind("v1", "Pod"), Kind("v1", "Node")
_DEPLOYMENT, _EVENT = Kind("apps/v1", "Deployment"), Kind("v1", "Event")

_POD_UP = 600.0
"""Seconds in which a volume is provided and an image pulled."""
_POLL = 1.0
_AGAIN = Backoff(most=8, well=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where an upload goes."""

    claim: str
    folder: str = ""
    """Of the volume; its top if empty."""
    least: int
    """GiB of a claim that has to be made."""
    storage_class: str | None = None
    host_path: str | None = None
    model: bool = False
    """Whether a federation may name the volume as its model's."""


def upload(
    kube: Kubernetes,
    target: Target,
    content: Content,
    progress: Progress,
    say: Callable[[str], None],
) -> None:
    """Send it all.

    Args:
        kube: the cluster, as its owner.
        target: where to.
        content: what.
        progress: hears how much of it is there.
        say: takes sentences for the person who waits.

    Raises:
        Refused: the cluster has no add-on, or is not one for a host path.
        Failed: the pod does not run in time, the line is cut again and again, or the volume takes no more.
    """
    agent = kube.get(_DEPLOYMENT, AGENT, NAMESPACE)
    if agent is None:
        raise Refused(
            f"no agent of fedspoke is in {NAMESPACE} here: enable the add-on for this cluster on the hub, or name another one"
        )
    claim = _claim(kube, target, content.manifest.size, say)
    with _pod(kube, target, agent["spec"]["template"]["spec"], say) as pod:
        _send(kube, pod, f"{objects.VOLUME}/{target.folder}".rstrip("/"), content, progress, say)
    labels = {VOLUME: MODEL} if target.model else {}
    kube.merge(claim, {"metadata": {"annotations": {UPLOADED: content.manifest.digest}, "labels": labels}})


def _claim(kube: Kubernetes, target: Target, size: int, say: Callable[[str], None]) -> Object:
    if there := kube.get(_CLAIM, target.claim, NAMESPACE):
        if target.storage_class or target.host_path:
            say(f"the claim {target.claim} is there already, and stays as it is")
        return there
    volume = f"fedspoke-{target.claim}" if target.host_path else None
    wanted = objects.claim(target.claim, target.least, size, target.storage_class, volume)
    if target.host_path:
        if len(kube.all(_NODE)) > 1:
            raise Refused("--host-path is for a cluster of one node, as each has its own folders: name a --storage-class")
        folder = kube.apply(objects.host_path(wanted, target.host_path))
        if (folder.get("status") or {}).get("phase") == "Released":  # of a claim before, whose uid it still has
            kube.merge(folder, {"spec": {"claimRef": {"uid": None, "resourceVersion": None}}})
    say(f"the claim {target.claim} of {wanted['spec']['resources']['requests']['storage']} is made")
    return kube.create(wanted)


@contextmanager
def _pod(kube: Kubernetes, target: Target, agent: Object, say: Callable[[str], None]) -> Iterator[str]:
    """One of its own: two uploads at once meet in the volume, where one of them waits, and neither ends the other's pod."""
    name = f"upload-{target.claim}-{secrets.token_hex(3)}"
    secret, image = agent.get("imagePullSecrets") or [], agent["containers"][0]["image"]
    made = kube.create(objects.pod(name, target.claim, image, secret, openshift=kube.knows(OPENSHIFT)))
    try:
        _await(f"the pod {name} to run", lambda: _why_not(kube, name), say)
        yield name
    finally:
        try:
            kube.delete(made)
        except Failed as error:
            say(f"the pod {name} is left, and ends within a day: {error}")


def _why_not(kube: Kubernetes, name: str) -> str:
    """What keeps the pod from running; empty once it runs."""
    pod = kube.get(_POD, name, NAMESPACE)
    if pod is None:
        raise Failed(f"the pod {name} was taken away; upload it again, it goes on where it stopped")
    if (pod.get("status") or {}).get("phase") == "Running":
        return ""
    warnings = {"involvedObject.name": name, "type": "Warning"}
    return stuck(pod, kube.all(_EVENT, NAMESPACE, fields=warnings)) or "it is being started"


def _await(what: str, why_not: Callable[[], str], say: Callable[[str], None]) -> None:
    """Until nothing speaks against it any more."""
    until, told = time.monotonic() + _POD_UP, ""
    while why := why_not():
        if time.monotonic() > until:
            raise Failed(f"waited in vain for {what}, {_POD_UP:.0f} s: {why}; once that is mended, the same command goes on")
        if why != told:
            say(f"waiting for {what}, {_POD_UP:.0f} s at most: {why}")
            told = why
        time.sleep(_POLL)


def _send(kube: Kubernetes, pod: str, folder: str, content: Content, progress: Progress, say: Callable[[str], None]) -> None:
    """Over one line, or over as many as it takes."""
    failures, done = 0, 0

    def sent(now: int) -> None:
        nonlocal done
        done = now
        progress("MB uploaded", now // 10**6, content.manifest.size // 10**6)

    while True:
        began, before = time.monotonic(), done
        try:
            with kube.exec(pod, NAMESPACE, ["fedspoke", "receive", folder]) as channel:
                send(channel, content, sent)
        except Final:
            raise
        except Failed as error:  # the line is cut, or the API server does not answer
            failures = _AGAIN.failures(0 if done > before else failures, time.monotonic() - began)
            pause = _AGAIN.pause(failures)
            if pause is None:
                raise Failed(f"{error}, the {times(failures)} in a row; the same command goes on from there") from None
            say(f"{error}; it goes on in {pause:.0f} s")
            time.sleep(pause)
        else:
            return
