"""What a kubelet makes of objects: ConfigMaps become files, containers become processes."""

from collections.abc import Sequence
from pathlib import Path

from fedspoke.api.federated_learning import Object
from fedspoke.local.folder import write
from fedspoke.local.processes import Machine


def apply(machine: Machine, pod: str, objects: Sequence[Object], config: Path) -> None:
    """Start the containers of these objects' pods, sidecars first, once their files are in `config`."""
    for item in objects:
        if item["kind"] == "ConfigMap":
            for name, text in item["data"].items():
                write(config / name, text)
    for item in objects:
        if item["kind"] in ("Deployment", "Job"):
            spec = item["spec"]["template"]["spec"]
            for container in [*spec.get("initContainers", []), *spec["containers"]]:
                machine.start(pod, container)
