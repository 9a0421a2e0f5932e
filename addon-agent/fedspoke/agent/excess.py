"""Whether a pod that the hub asks for is a collaborator's and no more.

What is not known here is refused, whatever it would do: a hub may lie, and the pod gets the owner's data.
"""

from collections.abc import Iterator

from fedspoke.api.base import Object
from fedspoke.api.names import PLATFORMS
from fedspoke.manifestworks import envoy, sidecar
from fedspoke.manifestworks.collaborator import (
    CA_CONFIG_MAP,
    CERTIFICATE_SECRET,
    COLLABORATOR,
    CURATION_KEY,
    HARDENED,
    MODEL_CACHE,
    MODEL_SOURCES,
    OVERRULES,
    SETTINGS_FILE,
    UNPRIVILEGED,
    Place,
    mounts,
)

DATA = "data-"
"""And the platform: a volume that the hub asks for by its kind of content, and not by its name."""

_CONFIG = Place().config
_SETTINGS = ["--settings", f"{_CONFIG}/{SETTINGS_FILE}"]
_COMMANDS = {
    "gateway": envoy.command(f"{_CONFIG}/{sidecar.CONFIG_FILE}"),
    "mcp-server": ["fedspoke", "mcp", *_SETTINGS],
    "flower-client": ["fedspoke", "collaborator", *_SETTINGS],
}
_ENVIRONMENT: dict[str, list[Object]] = {
    "gateway": [],
    "mcp-server": [*MODEL_CACHE, *MODEL_SOURCES],
    "flower-client": CURATION_KEY,
}
_MOUNTS = mounts(Place(), {it: f"/data/{it}" for it in PLATFORMS})  # where claims say that a platform's data is
_OVERRULED = {name for name, all_of in _MOUNTS.items() if any(it["name"] == "overrules" for it in all_of)}
_GROUP = {"fsGroup", "fsGroupChangePolicy"}
_LAST_WORDS = "/dev/termination-log"  # as the API server says of itself
_OF_A_POD = {  # with what the API server adds of itself
    *("automountServiceAccountToken", "containers", "dnsPolicy", "initContainers", "nodeSelector", "restartPolicy"),
    *("schedulerName", "securityContext", "serviceAccount", "serviceAccountName", "terminationGracePeriodSeconds"),
    *("tolerations", "volumes"),
}
_OF_A_CONTAINER = {
    *("command", "env", "image", "imagePullPolicy", "name", "resources", "restartPolicy", "securityContext"),
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
    containers = [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]
    names = [str(it.get("name")) for it in containers]
    for name, it in zip(names, containers, strict=True):
        if name not in _COMMANDS or names.count(name) > 1:
            yield f"the container {name}, where there are {', '.join(_COMMANDS)}, one of each"
            continue
        yield from (f"{key} of the container {name}" for key in sorted(it.keys() - _OF_A_CONTAINER))
        if it.get("terminationMessagePath", _LAST_WORDS) != _LAST_WORDS:  # the kubelet mounts a file there, over whatever it is
            yield f"another terminationMessagePath of the container {name}"
        if it.get("command") != _COMMANDS[name]:
            yield f"another command in the container {name}"
        if it.get("securityContext") != HARDENED:
            yield f"another securityContext of the container {name}"
        if name in _OVERRULED and not any(each.get("name") == "overrules" for each in it.get("volumeMounts") or []):
            yield f"the container {name} without the volume overrules"  # in which the owner says what is not trained on
        if any(each not in _ENVIRONMENT[name] for each in it.get("env") or []):
            yield f"another environment of the container {name}"
        mounted = [str(each.get("name")) for each in it.get("volumeMounts") or []]
        for volume, each in zip(mounted, it.get("volumeMounts") or [], strict=True):
            if each not in _MOUNTS[name] or mounted.count(volume) > 1:
                yield f"another mount of the volume {volume} in the container {name}"


def _of_volumes(spec: Object, run: str) -> Iterator[str]:
    known = {
        "config": [("configMap", "name", run)],
        "certificate": [("secret", "secretName", CERTIFICATE_SECRET)],
        "ca": [("configMap", "name", CA_CONFIG_MAP)],
        "output": [("emptyDir", "", "")],
        "tmp": [("emptyDir", "", "")],
    }
    for it in spec.get("volumes") or []:
        name, sources = str(it.get("name")), it.keys() - {"name"}
        if name == "overrules" and sources == {"configMap"} and _without_mode(it["configMap"]) == OVERRULES:
            continue
        if name.startswith(DATA) or (name == "model" and sources == {"persistentVolumeClaim"}):
            continue
        if not any(sources == {kind} and (not key or it[kind].get(key) == of) for kind, key, of in known.get(name, [])):
            yield f"the volume {name}"


def _without_mode(source: Object | None) -> Object:
    """Of a volume of a ConfigMap, without what the API server adds. `items` would leave files of it out."""
    return {key: value for key, value in (source or {}).items() if key != "defaultMode"}
