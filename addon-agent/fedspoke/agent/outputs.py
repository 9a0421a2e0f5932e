"""Where a collaborator writes: a volume that the cluster's owner has labelled for it, or else its pod alone.

Each federation has a folder of its name there, so that what it had done outlives its pod. The hub asks for a pod that writes to
an emptyDir, and can ask for nothing else: claim and folder are put in here.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from fedspoke.api.base import Object
from fedspoke.api.errors import Refused
from fedspoke.api.names import LONGEST_LABEL, MODEL, OFFERS, VOLUME

OUTPUT = "output"
"""The label's value, and what a pod calls the volume."""

_CLAIM = "persistentVolumeClaim"
_FOLDER = r"[a-z0-9][a-z0-9-]*\.[a-z0-9][a-z0-9-]*"
_CONTAINERS = ("initContainers", "containers")


@dataclass(frozen=True, slots=True)
class Outputs:
    """What is labelled for outputs."""

    claims: tuple[str, ...] = ()
    problem: str = ""
    """Why none of it is taken."""


def outputs(claims: Iterable[Object]) -> Outputs:
    """Of the volume claims of the namespace, those that an owner means. A claim's name is not told: it is the owner's."""
    labelled = [
        it
        for it in claims
        if (it["metadata"].get("labels") or {}).get(VOLUME, MODEL) != MODEL and not it["metadata"].get("deletionTimestamp")
    ]
    meant = [it["metadata"] for it in labelled if it["metadata"]["labels"][VOLUME] == OUTPUT]
    names = tuple(sorted(it["name"] for it in meant if OFFERS not in it["labels"]))
    if len(meant) < len(labelled):
        return Outputs(names, f"the label {VOLUME} of a volume claim must be {OUTPUT} or {MODEL}")
    if len(names) < len(meant):
        return Outputs(names, f"a volume claim that is offered by {OFFERS} cannot have the label {VOLUME}={OUTPUT} as well")
    if len(names) > 1:
        return Outputs(names, f"{len(names)} volume claims have the label {VOLUME}={OUTPUT}, and one must have it")
    return Outputs(names)


def mounted(spec: Object, run: str, there: Outputs) -> Object:
    """A collaborator's pod that writes to its federation's folder of the volume; as it was if there is no volume.

    Raises:
        Refused: nobody can say which volume, or the federation's name is no folder's.
    """
    if there.problem:
        raise Refused(f"it has no place for its output: {there.problem}")
    if not there.claims:
        return spec
    if not is_folder(run):
        raise Refused(
            f"it has no place for its output: a folder there is called as a federation is, and none is called {run[:99]!r}"
        )
    source = {"name": OUTPUT, _CLAIM: {"claimName": there.claims[0]}}
    volumes = [source if it["name"] == OUTPUT else it for it in spec.get("volumes") or []]
    return spec | {"volumes": volumes} | {key: [_inside(it, run) for it in spec[key]] for key in _CONTAINERS if spec.get(key)}


def is_folder(run: str) -> bool:
    """Whether a folder may have this name: it is a federation's, and leads nowhere else."""
    return len(run) <= LONGEST_LABEL and re.fullmatch(_FOLDER, run) is not None


def _inside(container: Object, run: str) -> Object:
    # Made anew, so that no folder that the hub names is left beside ours.
    mounts = [
        {"name": OUTPUT, "mountPath": it.get("mountPath"), "subPath": run} if it["name"] == OUTPUT else it
        for it in container.get("volumeMounts") or []
    ]
    return container | {"volumeMounts": mounts}


def asked_for(spec: Object) -> Object:
    """A pod that runs as the hub had asked for it, by which it is judged."""
    volumes = {"volumes": [_asked(it) for it in spec.get("volumes") or []]}
    if claim_of(spec) is None:
        return spec | volumes
    return spec | volumes | {key: [_outside(it) for it in spec[key]] for key in _CONTAINERS if spec.get(key)}


def _outside(container: Object) -> Object:
    mounts = [
        {key: value for key, value in it.items() if key != "subPath"} if it["name"] == OUTPUT else it
        for it in container.get("volumeMounts") or []
    ]
    return container | {"volumeMounts": mounts}


def _asked(volume: Object) -> Object:
    return {"name": OUTPUT, "emptyDir": {}} if volume["name"] == OUTPUT and volume.keys() == {"name", _CLAIM} else volume


def still_there(spec: Object, run: str, there: Outputs) -> None:
    """Whether a pod that runs may go on writing where it does.

    Raises:
        Refused: its owner has taken the label away, or it writes to another's folder.
    """
    claim = claim_of(spec)
    if claim is None:
        return
    if claim not in there.claims:
        raise Refused(f"the volume that it writes to has not the label {VOLUME}={OUTPUT} any more")
    if any(it.get("subPath") != run for it in _mounts(spec)):
        raise Refused("it writes to another folder than its federation's")


def replaced(spec: Object) -> Object:
    """When a Job's pod may have another in its place: two of one folder would write across each other."""
    return {"podReplacementPolicy": "Failed"} if claim_of(spec) else {}


def claim_of(spec: Object) -> str | None:
    """The claim that a pod writes its output to."""
    for it in spec.get("volumes") or []:
        if it["name"] == OUTPUT and _CLAIM in it:
            return str(it[_CLAIM].get("claimName"))
    return None


def _mounts(spec: Object) -> Iterator[Object]:
    for key in _CONTAINERS:
        for container in spec.get(key) or []:
            yield from (it for it in container.get("volumeMounts") or [] if it["name"] == OUTPUT)
