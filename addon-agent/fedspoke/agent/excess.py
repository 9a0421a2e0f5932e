"""Whether a pod that the hub asks for is a collaborator's and no more.

What is not known here is refused, whatever it would do: a hub may lie, and the pod gets the owner's data.
"""

from collections.abc import Iterator

from fedspoke.api.base import Object
from fedspoke.manifestworks import envoy, sidecar
from fedspoke.manifestworks.collaborator import (
    CA_CONFIG_MAP,
    CERTIFICATE_SECRET,
    COLLABORATOR,
    CURATION,
    CURATION_KEY,
    HARDENED,
    MODEL_CACHE,
    MODEL_SOURCES,
    UNPRIVILEGED,
    Place,
)

DATA = "data-"
"""And the platform: a volume that the hub asks for by its kind of content, and not by its name."""

_CONFIG = Place().config
_SETTINGS = ["--settings", f"{_CONFIG}/collaborator.json"]
_COMMANDS = {
    "gateway": envoy.command(f"{_CONFIG}/{sidecar.CONFIG_FILE}"),
    "mcp-server": ["fedspoke", "mcp", *_SETTINGS],
    "flower-client": ["fedspoke", "collaborator", *_SETTINGS],
}
_GROUP = {"fsGroup", "fsGroupChangePolicy"}
_OF_A_POD = {  # with what the API server adds of itself
    *("automountServiceAccountToken", "containers", "dnsPolicy", "initContainers", "nodeSelector", "restartPolicy"),
    *("schedulerName", "securityContext", "serviceAccount", "serviceAccountName", "terminationGracePeriodSeconds"),
    *("tolerations", "volumes"),
}
_OF_A_CONTAINER = {
    *("command", "env", "envFrom", "image", "imagePullPolicy", "name", "resources", "restartPolicy", "securityContext"),
    *("terminationMessagePath", "terminationMessagePolicy", "volumeMounts"),
}


def excess(spec: Object, run: str) -> str:
    """The first thing of a pod that is not a collaborator's of this federation; empty if there is none."""
    return next(iter((*_of_pod(spec), *_of_containers(spec), *_of_volumes(spec, run))), "")


def _of_pod(spec: Object) -> Iterator[str]:
    yield from sorted(spec.keys() - _OF_A_POD)
    said = spec.get("securityContext") or {}
    if {key: value for key, value in said.items() if key not in _GROUP} != UNPRIVILEGED:
        yield "another securityContext"
    if {spec.get(it, COLLABORATOR) for it in ("serviceAccount", "serviceAccountName")} != {COLLABORATOR}:
        yield "another service account"
    if spec.get("automountServiceAccountToken") is not False:
        yield "a service account's token"


def _of_containers(spec: Object) -> Iterator[str]:
    for it in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]:
        name = str(it.get("name"))
        yield from (f"{key} of the container {name}" for key in sorted(it.keys() - _OF_A_CONTAINER))
        if it.get("command") != _COMMANDS.get(name):
            yield f"another command in the container {name}"
        if it.get("securityContext") != HARDENED:
            yield f"another securityContext of the container {name}"
        own = CURATION_KEY if name == "flower-client" else MODEL_CACHE
        if (it.get("env") or []) not in ([], own) or (it.get("envFrom") or []) not in ([], MODEL_SOURCES):
            yield f"another environment of the container {name}"


def _of_volumes(spec: Object, run: str) -> Iterator[str]:
    known = {
        "config": [("configMap", "name", run), ("downwardAPI", "", "")],
        "certificate": [("secret", "secretName", CERTIFICATE_SECRET)],
        "ca": [("configMap", "name", CA_CONFIG_MAP)],
        "output": [("emptyDir", "", "")],
        "tmp": [("emptyDir", "", "")],
        "overrules": [("configMap", "name", CURATION)],
    }
    for it in spec.get("volumes") or []:
        name, sources = str(it.get("name")), it.keys() - {"name"}
        if name.startswith(DATA) or (name == "model" and sources == {"persistentVolumeClaim"}):
            continue
        if not any(sources == {kind} and (not key or it[kind].get(key) == of) for kind, key, of in known.get(name, [])):
            yield f"the volume {name}"
