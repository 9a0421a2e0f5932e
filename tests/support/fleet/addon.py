"""The add-on on a fleet: its manager works on the hub with the rights of hub/deploy and no others; its agent runs on spokes."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from kubernetes import config

from fedspoke.api import documents
from fedspoke.api.base import Object
from fedspoke.api.names import ADDON
from fedspoke.hub.addon import authority, manager
from fedspoke.hub.trust import Trust
from fedspoke.kube.client import Kubernetes as Client
from support.fleet import images, ocm
from support.fleet.deployed import ACCOUNT, DEPLOY, HOME, as_controller
from support.fleet.fleet import Fleet, Member

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Manager:
    """The add-on's manager at work: it looks every half second, which kopf's watches do better."""

    kube: Client
    lock: threading.Lock = field(default_factory=threading.Lock)
    failure: Exception | None = None

    def look(self) -> list[str]:
        with self.lock:
            return manager.converge(self.kube, self.trust(), images.TESTS, datetime.now(UTC))

    def trust(self) -> Trust:
        return authority.trust(self.kube, HOME, datetime.now(UTC))

    @contextmanager
    def at_work(self) -> Iterator[None]:
        stopped = threading.Event()
        thread = threading.Thread(target=self._work, args=[stopped])
        thread.start()
        try:
            yield
        finally:
            stopped.set()
            thread.join()
        if self.failure:
            raise self.failure

    def _work(self, stopped: threading.Event) -> None:
        while not stopped.wait(0.5):
            try:
                for done in self.look():
                    log.info(done)
            except Exception as error:  # noqa: BLE001  the test's own thread raises it
                self.failure = error
                return


@contextmanager
def installed(fleet: Fleet, folder: Path) -> Iterator[Manager]:
    """The add-on as `kubectl apply -k hub/deploy` installs it, and its manager at work for the length of the block."""
    hub = fleet.hub
    for document in ({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": HOME}}, *_documents()):
        hub.kubernetes.apply(document)
    kubeconfig = as_controller(hub.kubernetes, hub.kubeconfig, folder)
    client = config.new_client_from_config(str(kubeconfig))
    # Before each request it would read the environment, which pytest changes meanwhile in another thread; its token lasts.
    client.configuration.refresh_api_key_hook = None
    at_work = Manager(Client(client))
    with at_work.at_work():
        yield at_work


def conditions(fleet: Fleet, spoke: Member) -> dict[str, str]:
    """What the hub says of a spoke's add-on."""
    status = fleet.hub.kubernetes.get(ocm.ADDON, ADDON, spoke.name).get("status", {})
    return {each["type"]: f"{each['status']} {each['message']}" for each in status.get("conditions", [])}


def is_well(conditions: dict[str, str]) -> bool:
    """Whether nothing is missing."""
    wanted = {
        "Available": "True",
        "RegistrationApplied": "True",
        "ManifestApplied": "True",
        "Degraded": "False",
        "Progressing": "False",
    }
    return all(conditions.get(kind, "").startswith(state) for kind, state in wanted.items())


def _documents() -> Iterator[Object]:
    for file in ("addon-manager-role.yaml", "clustermanagementaddon.yaml"):
        yield from documents.read(DEPLOY / file)
    account = {"kind": "ServiceAccount", "name": ACCOUNT, "namespace": HOME}
    rbac = "rbac.authorization.k8s.io"
    yield {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": ACCOUNT, "namespace": HOME}}
    for kind, name, where in (("ClusterRole", "fedspoke:addon-manager", {}), ("Role", "fedspoke:authority", {"namespace": HOME})):
        yield {
            "apiVersion": f"{rbac}/v1",
            "kind": f"{kind}Binding",
            "metadata": {"name": name} | where,
            "roleRef": {"apiGroup": rbac, "kind": kind, "name": name},
            "subjects": [account],
        }
