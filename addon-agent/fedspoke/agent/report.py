"""What a spoke's agent tells the hub of each federation: how its newest pod is doing, and never what a post says.

A pod's termination message ends in its logs' last lines, and those of a trainer may quote the data. Only what a process said of
itself in our own words leaves the spoke, or else the kind of its error.
"""

from collections.abc import Iterable, Mapping, Sequence

from fedspoke.agent.excess import DATA
from fedspoke.agent.outputs import OUTPUT, claim_of
from fedspoke.agent.words import own_words
from fedspoke.api.base import Object
from fedspoke.api.names import FEDERATED_LEARNING
from fedspoke.kube.jobs import unmade
from fedspoke.kube.pods import START_ERROR, stuck
from fedspoke.manifestworks.report import PHASE, REASON


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
            run: {PHASE: (pod.get("status") or {}).get("phase", "Unknown"), REASON: _unnamed(stuck(discreet(pod), events), pod)}
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
    status = dict(pod.get("status") or {})
    for name in ("initContainerStatuses", "containerStatuses"):
        status[name] = [_discreet(it) for it in status.get(name) or []]
    return pod | {"status": status}


def _discreet(container: Object) -> Object:
    said = {name: _state(container[name]) for name in ("state", "lastState") if container.get(name)}
    return container | said


def _state(state: Object) -> Object:
    ended = state.get("terminated")
    if not ended or ended.get("reason") == START_ERROR:
        return state
    return state | {"terminated": ended | {"message": own_words(ended.get("message") or "")}}
