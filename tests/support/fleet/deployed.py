"""hub/deploy on a hub: what `kubectl apply -k` installs, and the hub as its controller is let in there."""

import json
from collections.abc import Collection
from functools import partial
from pathlib import Path

import yaml

from fedspoke.api import documents
from fedspoke.api.names import API_VERSION
from support.fleet.kubernetes import Kind, Kubernetes
from support.fleet.wait import until

DEPLOY = Path(__file__).parents[3] / "hub/deploy"
HOME, ACCOUNT = "fedspoke", "fedspoke"
"""The controller's namespace on the hub, and its service account."""
FEDERATION = Kind(API_VERSION, "federatedlearnings")

_SECONDS = 90


def deploy(hub: Kubernetes, but: Collection[str] = ()) -> None:
    """Every file of the kustomization in its order, but for some."""
    for file in yaml.safe_load((DEPLOY / "kustomization.yaml").read_text())["resources"]:
        if file in but:
            continue
        for document in documents.read(DEPLOY / file):
            hub.apply(document)
        if file == "crd.yaml":
            until("the CRD is served", partial(hub.all, FEDERATION), _SECONDS)


def as_controller(hub: Kubernetes, kubeconfig: Path, folder: Path) -> Path:
    """A kubeconfig of this hub, whose own is given, for the controller's service account: with its rights and no others."""
    users = yaml.safe_load(kubeconfig.read_text())
    for each in users["users"]:
        each["user"] = {"token": hub.token(ACCOUNT, HOME)}
    file = folder / "controller.kubeconfig"
    file.touch(mode=0o600)
    file.write_text(json.dumps(users))
    return file
