"""The controller's shell: what the API server tells of wakes the federation that it is about, and each is converged by itself.

Kopf watches. Nothing of a watched event is used but whose it is: `converge` looks for itself, so an event that is lost, late or
doubled changes nothing.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import kopf

from fedspoke.api.errors import Failed
from fedspoke.api.names import DOMAIN, FEDERATED_LEARNING, PLURAL, VERSION, run_name
from fedspoke.hub.controller.converge import Controller
from fedspoke.placement.fleet import PLACEMENT_LABEL

log = logging.getLogger("fedspoke")

_QUIET = 0.3  # seconds in which what belongs together has come
_AGAIN = (2.0, 60.0)  # seconds after a failure, doubled up to the second

_FLEET = "cluster.open-cluster-management.io"
_OWNED = (
    ("work.open-cluster-management.io", "v1", "manifestworks"),
    ("apps", "v1", "deployments"),
    ("", "v1", "configmaps"),
    ("", "v1", "services"),
)


@dataclass(slots=True)
class Federations:
    """One task for each federation that there is."""

    controller: Controller
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    _wake: dict[str, asyncio.Event] = field(default_factory=dict)
    _tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    def hear(self, namespace: str, name: str) -> None:
        """Something happened to it, or it may be new."""
        run = run_name(namespace, name)
        if run in self._tasks and not self._tasks[run].done():
            self._wake[run].set()
            return
        self._wake[run] = asyncio.Event()
        self._tasks[run] = asyncio.create_task(self._tend(namespace, name), name=run)

    def hear_of(self, run: str) -> None:
        """Something happened to what belongs to it."""
        namespace, _, name = run.partition(".")
        if run in self._tasks:
            self.hear(namespace, name)

    async def _tend(self, namespace: str, name: str) -> None:
        run, pause = run_name(namespace, name), _AGAIN[0]
        while True:
            self._wake[run].clear()
            try:
                due = await asyncio.to_thread(self.controller.converge, namespace, name, self.now())
            except Failed as error:
                log.warning("%s: %s; tried again in %.0f s", run, error, pause)
                await asyncio.sleep(pause)
                pause = min(2 * pause, _AGAIN[1])
                continue
            except Exception:  # whatever it is, the other federations go on, and so may this one
                log.exception("%s: tried again in %.0f s", run, pause)
                await asyncio.sleep(pause)
                pause = min(2 * pause, _AGAIN[1])
                continue
            if due is None:
                return
            pause = _AGAIN[0]
            await asyncio.sleep(_QUIET)
            try:
                await asyncio.wait_for(self._wake[run].wait(), max(0.0, due.total_seconds() - _QUIET))
            except TimeoutError:
                continue


def registry(federations: Federations) -> kopf.OperatorRegistry:
    """What kopf watches for us."""
    found = kopf.OperatorRegistry()
    kopf.on.login(registry=found)(kopf.login_via_client)

    @kopf.on.event(DOMAIN, VERSION, PLURAL, registry=found)
    async def asked(*, namespace: str | None, name: str, **_: Any) -> None:
        federations.hear(str(namespace), name)

    @kopf.on.event(_FLEET, "v1beta1", "placementdecisions", labels={PLACEMENT_LABEL: kopf.PRESENT}, registry=found)
    async def decided(*, namespace: str | None, labels: Mapping[str, str], **_: Any) -> None:
        federations.hear_of(run_name(str(namespace), labels[PLACEMENT_LABEL]))

    async def changed(*, labels: Mapping[str, str], **_: Any) -> None:
        federations.hear_of(labels[FEDERATED_LEARNING])

    for group, version, plural in _OWNED:
        kopf.on.event(group, version, plural, labels={FEDERATED_LEARNING: kopf.PRESENT}, registry=found)(changed)
    return found
