"""What a spoke's agent tells the hub of each federation: how its newest pod is doing, and never what a post says.

A pod's termination message ends in its logs' last lines, and those of a trainer may quote the data. Only what a process said of
itself in our own words leaves the spoke, or else the kind of its error. Of a volume of the owner's that cannot be mounted the hub
hears which it is, and not what Kubernetes says: that quotes its name, the server behind it and its paths.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from fedspoke.agent.excess import DATA
from fedspoke.agent.outputs import OUTPUT, claim_of
from fedspoke.agent.words import own_words
from fedspoke.api.base import Object
from fedspoke.api.names import FEDERATED_LEARNING
from fedspoke.kube.jobs import unmade
from fedspoke.kube.pods import START_ERROR, stuck
from fedspoke.manifestworks.report import PHASE, REASON

_NOBODYS = {"config", "certificate", "ca", "tmp", "key"}
"""The volumes of a collaborator's pod that hold nothing of the owner's; what Kubernetes says of them helps whoever reads it."""
_MOUNTING = {"FailedMount", "FailedAttachVolume", "FailedMapVolume"}
_OF_VOLUME = re.compile(r'failed for volume "(.+?)"')
_ON_THE_SPOKE = "its owner sees why on the cluster, by kubectl describe pod"


def reports(
    pods: Iterable[Object], jobs: Iterable[Object], events: Sequence[Object], refused: Mapping[str, str]
) -> dict[str, dict[str, str]]:
    """The data of each federation's report, by run; of a Job that has no pod, why it makes none.

    Args:
        pods: of the federations.
        jobs: that the agent has made.
        events: of both.
        refused: why a federation does not run here, which goes before what its pods last did.
    """
    newest = _by_run(pods)
    return (
        {
            run: {PHASE: "Pending", REASON: why}
            for run, job in _by_run(jobs).items()
            if run not in newest and (why := unmade(job, events))
        }
        | {
            run: {PHASE: (pod.get("status") or {}).get("phase", "Unknown"), REASON: _why(pod, events)}
            for run, pod in newest.items()
        }
        | {run: {PHASE: "Refused", REASON: why} for run, why in refused.items()}
    )


def podless(pods: Iterable[Object], jobs: Iterable[Object]) -> bool:
    """Whether a federation's Job has no pod."""
    return not _by_run(jobs).keys() <= _by_run(pods).keys()


def _by_run(objects: Iterable[Object]) -> dict[str, Object]:
    """The newest of each federation's."""
    newest: dict[str, Object] = {}
    for it in sorted(objects, key=lambda it: str(it["metadata"].get("creationTimestamp"))):
        if run := (it["metadata"].get("labels") or {}).get(FEDERATED_LEARNING):
            newest[run] = it
    return newest


def _why(pod: Object, events: Sequence[Object]) -> str:
    shown = _with_states(discreet(pod), _without_mounts)
    return _unnamed(stuck(shown, [_of_no_owners_volume(it, pod) for it in events]), pod)


def _of_no_owners_volume(event: Object, pod: Object) -> Object:
    """An event that says no more of an owner's volume than which it is: by the pod's name of it, as Kubernetes has others."""
    if event.get("reason") not in _MOUNTING:
        return event
    own = [it["name"] for it in pod["spec"].get("volumes") or [] if it["name"] not in _NOBODYS]
    said = _OF_VOLUME.search(event.get("message") or "")
    if said and said[1] in _NOBODYS:
        return event
    which = said[1] if said and said[1] in own else " or ".join(own)
    return event | {"message": f'MountVolume.SetUp failed for volume "{which}" : {_ON_THE_SPOKE}'}


def _unnamed(reason: str, pod: Object) -> str:
    """Without what its owner calls a dataset, or the volume for outputs: a claim's name, a folder of a node."""
    for volume in pod["spec"].get("volumes") or []:
        if volume["name"].startswith(DATA):
            own = (volume.get("persistentVolumeClaim") or {}).get("claimName") or (volume.get("hostPath") or {}).get("path")
            reason = reason.replace(own, f"{volume['name'].removeprefix(DATA)}-data") if own else reason
    own = claim_of(pod["spec"])
    return reason.replace(own, OUTPUT) if own else reason


def discreet(pod: Object) -> Object:
    """The pod without what its containers said last, but for our own words."""
    return _with_states(pod, _own_words)


def _with_states(pod: Object, said: Callable[[Object], Object]) -> Object:
    status = dict(pod.get("status") or {})
    for name in ("initContainerStatuses", "containerStatuses"):
        status[name] = [_with_state(it, said) for it in status.get(name) or []]
    return pod | {"status": status}


def _with_state(container: Object, said: Callable[[Object], Object]) -> Object:
    return container | {name: said(container[name]) for name in ("state", "lastState") if container.get(name)}


def _own_words(state: Object) -> Object:
    ended = state.get("terminated")
    if not ended or ended.get("reason") == START_ERROR:
        return state
    return state | {"terminated": ended | {"message": own_words(ended.get("message") or "")}}


def _without_mounts(state: Object) -> Object:
    """What a container runtime says, but for a mount that fails: that is of a folder of the owner's."""
    runtimes = {name: it for name, it in state.items() if name == "waiting" or (it or {}).get("reason") == START_ERROR}
    failing = {name: it for name, it in runtimes.items() if "mount" in ((it or {}).get("message") or "")}
    return state | {name: it | {"message": _ON_THE_SPOKE} for name, it in failing.items()}
