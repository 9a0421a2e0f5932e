"""What a cluster's owner offers: a volume claim with the label `…/platform`, or a ConfigMap with it that names a node's folder.

Whoever can label can write anything: nothing of an offer is taken on trust, and none of it but its platform leaves the cluster.
"""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import get_args

from fedspoke.api.base import Object
from fedspoke.api.errors import Refused
from fedspoke.api.names import OFFERS, UPLOADED, Platform

PATH = "path"
"""The key of a ConfigMap whose value is a folder of the node."""

_LONGEST = 200  # of a name: what is known of it is kept under a key of 253 characters at the most
_SYSTEM = (
    *("bin", "boot", "dev", "etc", "lib", "lib32", "lib64", "proc", "root", "run", "sbin", "sys", "usr"),
    *("var/lib", "var/run"),
)
"""Folders of a node that hold its secrets or its programs, with all in them but `_OWN`."""
_OWN = "var/lib/federated-learning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One dataset that may be looked at."""

    key: str
    """Under which what is known of it is kept."""
    platform: Platform
    volume: Object
    """Its source, as a pod names it."""
    version: str
    """Another one when the offer, or what its owner says of its files, is another."""
    bound: bool = True
    """Whether there is a volume."""


def offers(objects: Iterable[Object]) -> tuple[list[Offer], dict[str, str]]:
    """What is offered, and by key why the rest of what is labelled is not."""
    taken: list[Offer] = []
    refused: dict[str, str] = {}
    for it in objects:
        if OFFERS not in (it["metadata"].get("labels") or {}) or it["metadata"].get("deletionTimestamp"):
            continue
        try:
            taken.append(_offer(it))
        except Refused as error:
            refused[_key(it)] = str(error)
    return taken, refused


def _offer(it: Object) -> Offer:
    metadata, platform = it["metadata"], it["metadata"]["labels"][OFFERS]
    if platform not in get_args(Platform):
        raise Refused(f"its label {OFFERS} must be one of {', '.join(get_args(Platform))}")
    if len(metadata["name"]) > _LONGEST:
        raise Refused(f"its name must not have more than {_LONGEST} characters")
    if it["kind"] == "ConfigMap":
        volume: Object = {"hostPath": {"path": folder((it.get("data") or {}).get(PATH)), "type": "Directory"}}
        state = dict(volume)
        bound = True
    else:
        volume = {"persistentVolumeClaim": {"claimName": metadata["name"], "readOnly": True}}
        state = {"volume": (it.get("spec") or {}).get("volumeName")}
        bound = (it.get("status") or {}).get("phase") == "Bound"
    state |= {"uid": metadata.get("uid"), "platform": platform, "uploaded": (metadata.get("annotations") or {}).get(UPLOADED)}
    version = hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()[:16]
    return Offer(key=_key(it), platform=platform, volume=volume, version=version, bound=bound)


def folder(path: str | None) -> str:
    """A folder of a node that may be offered, as it was written.

    Raises:
        Refused: it is none, leads elsewhere than it says, or belongs to the system.
    """
    if not path or not re.fullmatch(r"(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+", path):
        raise Refused(f"its key {PATH} must name a folder of the node by its whole path, as /data/facebook")
    inner = f"{path[1:]}/"
    if not inner.startswith(f"{_OWN}/") and any(inner.startswith(f"{it}/") or it.startswith(inner) for it in _SYSTEM):
        raise Refused(f"its key {PATH} names a folder of the node's system; use one like /data/facebook or /{_OWN}/facebook")
    return path


def _key(it: Object) -> str:
    kind = "folder" if it["kind"] == "ConfigMap" else "volume"
    return f"{kind}.{it['metadata']['name'][:_LONGEST]}"
