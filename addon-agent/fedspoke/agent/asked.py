"""What the hub asks a cluster to run, and what of it is run.

The hub's ManifestWork brings a Job that is suspended, and never runs: it asks. The agent makes the Job that runs of it, with the
settings that it has judged and the volumes that the owner offers, or says why it does not. So nothing runs without the owner's
consent, and the hub need not know what a volume is called.
"""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from pydantic import ValidationError

from fedspoke.agent.excess import DATA, excess
from fedspoke.agent.offers import Offer
from fedspoke.agent.outputs import Outputs, asked_for, mounted, replaced, still_there
from fedspoke.agent.policy import POLICY, Policy
from fedspoke.agent.told import Told, another_wire, elsewhere
from fedspoke.api.base import Object
from fedspoke.api.errors import Refused
from fedspoke.api.names import DOMAIN, FEDERATED_LEARNING, MODEL, OFFERS, PLATFORMS, VOLUME, Platform, labels
from fedspoke.api.records import HubGateway
from fedspoke.manifestworks.collaborator import DATASETS, FILES, HUB_FILE, SETTINGS_FILE

_JOB = "Job"


class NotAllowed(Refused):
    """The cluster's owner does not offer what a federation asks for, or does not allow it: what was shared is withdrawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """What the cluster's owner offers and allows."""

    offers: Collection[Offer] = ()
    best: Mapping[Platform, Offer] = field(default_factory=dict)
    """The offer that a federation gets."""
    policy: Policy | None = field(default_factory=Policy)
    """None if it cannot be understood."""
    problem: str = ""
    """Why it cannot."""
    outputs: Outputs = field(default_factory=Outputs)
    """Where collaborators write."""
    models: Collection[str] = ()
    """The volume claims that a federation may name as its model's."""


def is_asked(job: Object) -> bool:
    """Whether a Job is a federation's, and not one that the agent made."""
    return FEDERATED_LEARNING in (job["metadata"].get("labels") or {}) and asked_by(job) is None


def asked_by(job: Object) -> str | None:
    """The uid of the Job that a Job was made of."""
    owners = job["metadata"].get("ownerReferences") or []
    return next((it["uid"] for it in owners if it["kind"] == _JOB), None)


def run_of(job: Object) -> str:
    """The federation of a Job."""
    return str(job["metadata"]["labels"][FEDERATED_LEARNING])


def made_name(job: Object) -> str:
    """Of the Job that is made of one: another for each, however alike they are called."""
    digest = hashlib.sha256(job["metadata"]["uid"].encode()).hexdigest()[:8]
    return f"{job['metadata']['name'].rpartition('-')[0][:54].rstrip('.-')}-{digest}"


def granted(job: Object, settings: Mapping[str, str], owner: Owner) -> Object:
    """The Job that runs.

    Args:
        job: as the hub asks for it.
        settings: the files of the federation's ConfigMap.
        owner: what is offered and allowed.

    Raises:
        Refused: the owner does not offer or allow it, in one sentence.
    """
    run, spec = run_of(job), job["spec"]["template"]["spec"]
    _allowed(run, spec, settings, owner)
    annotations = {f"{DOMAIN}/{name}": settings[name] for name in FILES if name in settings}
    volumes = [_volume(it, run, settings, owner) for it in spec.get("volumes") or []]
    _is_a_model(spec, owner)  # last: a hub whose data is not offered is told that
    pod = mounted(spec | {"volumes": volumes}, run, owner.outputs)
    metadata, uid = job["metadata"], job["metadata"]["uid"]
    made_of = {"apiVersion": "batch/v1", "kind": _JOB, "name": metadata["name"], "uid": uid, "blockOwnerDeletion": True}
    return {
        "apiVersion": "batch/v1",
        "kind": _JOB,
        "metadata": {
            "name": made_name(job),
            "namespace": metadata["namespace"],
            "labels": labels(run),
            "ownerReferences": [made_of],
        },
        "spec": {
            "backoffLimit": job["spec"].get("backoffLimit", 6),
            **replaced(pod),
            "template": {"metadata": {"labels": labels(run), "annotations": annotations}, "spec": pod},
        },
    }


def still_granted(made: Object, owner: Owner) -> None:
    """Whether a Job that was made may go on, by what it was told, whatever the hub asks for by now.

    Raises:
        Refused: it may not any more; NotAllowed, if that is what the owner wants.
    """
    template = made["spec"]["template"]
    spec, told = template["spec"], template["metadata"].get("annotations") or {}
    settings = {name.removeprefix(f"{DOMAIN}/"): content for name, content in told.items()}
    offered = {(it.platform, *_source(it.volume)) for it in owner.offers}
    for volume in spec.get("volumes") or []:
        if volume["name"].startswith(DATA) and (volume["name"].removeprefix(DATA), *_source(volume)) not in offered:
            raise NotAllowed(_not_offered(volume["name"].removeprefix(DATA)))
    still_there(spec, run_of(made), owner.outputs)
    volumes = [_asked(it, run_of(made), settings) for it in spec.get("volumes") or []]
    _allowed(run_of(made), asked_for(spec | {"volumes": volumes}), settings, owner)
    _is_a_model(spec, owner)


def _allowed(run: str, spec: Object, settings: Mapping[str, str], owner: Owner) -> None:
    if owner.policy is None:
        raise Refused(f"the cluster's owner allows nothing, as the ConfigMap {POLICY} cannot be understood: {owner.problem}")
    platforms = [it["name"].removeprefix(DATA) for it in spec.get("volumes") or [] if it["name"].startswith(DATA)]
    images = [it["image"] for name in ("initContainers", "containers") for it in spec.get(name) or []]
    why = owner.policy.forbids(run, platforms, images) or _too_much(run, spec, owner)
    try:
        said = Told.model_validate_json(settings.get(SETTINGS_FILE, ""))
        gateway = HubGateway.model_validate_json(settings.get(HUB_FILE, ""))
    except ValidationError:
        if not why:  # they may be on their way
            raise Refused("its settings are not there, or cannot be read") from None
    else:
        why = why or owner.policy.too_little_noise(said.privacy, said.profiles) or owner.policy.hands_out(said.curation)
        other = elsewhere(said, run, platforms) or another_wire(settings, gateway, run)
        if other and not why:
            raise Refused(other)  # by no word of the owner's, so that what it has done so far stays
    if why:
        raise NotAllowed(f"the cluster's owner does not allow it: {why}")


def _too_much(run: str, spec: Object, owner: Owner) -> str:
    """What of the cluster nobody has offered."""
    if more := excess(spec, run):
        return f"it asks for more of the cluster than a collaborator needs: {more}"
    offered = {_source(it.volume) for it in owner.offers} | {("volume", f"{it}-data") for it in PLATFORMS}
    for volume in spec.get("volumes") or []:
        if not volume["name"].startswith(DATA) and ("hostPath" in volume or _source(volume) in offered):
            return f"its volume {volume['name']} asks for data in another way than by its platform"
        if _source(volume) in {("volume", claim) for claim in owner.outputs.claims}:
            return f"its volume {volume['name']} asks for what collaborators write, which is the owner's to give"
    return ""


def _is_a_model(spec: Object, owner: Owner) -> None:
    """Refuses a volume that it names as its model's and that is none."""
    for volume in spec.get("volumes") or []:
        if volume["name"] == MODEL and (claim := _source(volume)[1]) not in owner.models:
            raise Refused(f"the volume claim {claim} is no model's, or is not there: its owner labels one {VOLUME}={MODEL}")


def _asked(volume: Object, run: str, settings: Mapping[str, str]) -> Object:
    """The hub's ConfigMap, where its files were copied as they were judged; any other volume as it is."""
    items = (volume.get("downwardAPI") or {}).get("items") or []
    read = [(it["path"], (it.get("fieldRef") or {}).get("fieldPath")) for it in items]
    return {"name": volume["name"], "configMap": {"name": run}} if items and read == _copied(settings) else volume


def _copied(settings: Mapping[str, str]) -> list[tuple[str, str]]:
    """The files that a collaborator's processes read, and where each is in the pod itself: no other, as one may be code."""
    return [(name, f"metadata.annotations['{DOMAIN}/{name}']") for name in sorted(FILES) if name in settings]


def _volume(volume: Object, run: str, settings: Mapping[str, str], owner: Owner) -> Object:
    name = volume["name"]
    if name.startswith(DATA):
        for platform, offer in owner.best.items():
            if platform == name.removeprefix(DATA):
                return {"name": name} | offer.volume
        platform = name.removeprefix(DATA)
        if any(it.platform == platform for it in owner.offers):
            raise Refused(f"the data of {platform} that is offered on this cluster cannot be read, or not yet; see {DATASETS}")
        raise NotAllowed(_not_offered(platform))
    if (volume.get("configMap") or {}).get("name") == run:  # in the pod itself, so that what was judged is what is read
        files = [{"path": path, "fieldRef": {"fieldPath": where}} for path, where in _copied(settings)]
        return {"name": name, "downwardAPI": {"items": files}}
    return volume


def _not_offered(platform: str) -> str:
    return f"no data of {platform} is offered on this cluster: its owner labels a volume claim {OFFERS}={platform}"


def _source(volume: Object) -> tuple[str, str]:
    """What a volume is of: a claim's name, or a node's folder."""
    if "hostPath" in volume:
        return "folder", str(volume["hostPath"]["path"])
    return "volume", str((volume.get("persistentVolumeClaim") or {}).get("claimName"))
