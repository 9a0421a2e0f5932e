"""The controller's shell: what the API server tells of wakes the federation or the add-on that it is about; each converges alone.

Kopf watches. Nothing of a watched event is used but whose it is: `converge` looks for itself, so an event that is lost, late or
doubled changes nothing.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import kopf

from fedspoke.api.errors import Failed, Refused
from fedspoke.api.names import ADDON, DOMAIN, FEDERATED_LEARNING, PLURAL, VERSION, run_name
from fedspoke.hub.controller.health import BEAT, Health
from fedspoke.placement.fleet import PLACEMENT_LABEL

log = logging.getLogger("fedspoke")

_QUIET = 0.3  # seconds in which what belongs together has come

_FLEET = "cluster.open-cluster-management.io"
_OWNED = (
    ("work.open-cluster-management.io", "v1", "manifestworks"),
    ("apps", "v1", "deployments"),
    ("", "v1", "configmaps"),
    ("", "v1", "services"),
)
_ADDONS = ("addon.open-cluster-management.io", "v1alpha1", "managedclusteraddons")

Step = Callable[[datetime], timedelta | None]
"""Brings one thing nearer to what it should be; when the next step is due, or None if there is none."""


@dataclass(slots=True)
class Converging:
    """One task for each thing that is converged, by name."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    again: tuple[float, float] = (2.0, 60.0)
    """Seconds until it is tried again after a failure, doubled up to the second, unless something happens meanwhile."""
    _wake: dict[str, asyncio.Event] = field(default_factory=dict)
    _tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    def begin(self, name: str, step: Step) -> None:
        """Something happened to it, or it may be new."""
        if not self.wake(name):
            self._wake[name] = asyncio.Event()
            self._tasks[name] = asyncio.create_task(self._tend(name, step), name=name)

    def wake(self, name: str) -> bool:
        """Something happened to what belongs to it. Whether it is known."""
        if name not in self._tasks or self._tasks[name].done():
            return False
        self._wake[name].set()
        return True

    async def _tend(self, name: str, step: Step) -> None:
        pause, longest = self.again
        while True:
            self._wake[name].clear()
            try:
                due = await asyncio.to_thread(step, self.now())
                if due is None and not self._wake[name].is_set():  # what came while it looked may be another one of the name
                    del self._tasks[name], self._wake[name]
                    return
            except Exception as error:  # whatever it is, the others go on, and so may this one
                unforeseen = None if isinstance(error, Failed | Refused) else error
                told = f"{type(error).__name__}" if unforeseen else error
                whose = {} if name == ADDON else {"federation": name}
                log.warning("%s: %s; tried again in %.0f s", name, told, pause, exc_info=unforeseen, extra=whose)
                due, pause = timedelta(seconds=pause), min(2 * pause, longest)
            else:
                due, pause = due or timedelta(0), self.again[0]
            await asyncio.sleep(_QUIET)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake[name].wait(), max(0.0, due.total_seconds() - _QUIET))


def registry(federation: Callable[[str, str], Step], addon: Step, health: Health) -> kopf.OperatorRegistry:
    """What kopf watches for us.

    Args:
        federation: from namespace and name to its step.
        addon: the step of the add-on, which is one for all clusters.
        health: gets a sign of life all the while.
    """
    found, converging = kopf.OperatorRegistry(), Converging()
    beating: list[asyncio.Task[None]] = []  # a task that nobody holds may be gone
    kopf.on.login(registry=found)(kopf.login_via_client)

    @kopf.on.startup(registry=found)
    async def started(*, settings: kopf.OperatorSettings, **_: Any) -> None:
        narrow(settings)
        converging.begin(ADDON, addon)
        beating.append(asyncio.create_task(_beat(health), name="health"))

    @kopf.on.event(DOMAIN, VERSION, PLURAL, registry=found)
    async def asked(*, namespace: str | None, name: str, **_: Any) -> None:
        converging.begin(run_name(str(namespace), name), federation(str(namespace), name))

    @kopf.on.event(_FLEET, "v1beta1", "placementdecisions", labels={PLACEMENT_LABEL: kopf.PRESENT}, registry=found)
    async def decided(*, namespace: str | None, labels: Mapping[str, str], **_: Any) -> None:
        converging.wake(run_name(str(namespace), labels[PLACEMENT_LABEL]))

    async def changed(*, labels: Mapping[str, str], **_: Any) -> None:
        converging.wake(labels[FEDERATED_LEARNING])

    for group, version, plural in _OWNED:
        kopf.on.event(group, version, plural, labels={FEDERATED_LEARNING: kopf.PRESENT}, registry=found)(changed)

    async def of_the_addon(**_: Any) -> None:
        converging.wake(ADDON)

    kopf.on.event(*_ADDONS, registry=found)(of_the_addon)
    kopf.on.event("certificates.k8s.io", "v1", "certificatesigningrequests", registry=found)(of_the_addon)
    return found


def narrow(settings: kopf.OperatorSettings) -> None:
    """Let the API server tell of what is ours alone: kopf itself would read and keep all that a hub has of these kinds."""
    for kind in _OWNED:
        settings.watching.label_selectors[kind] = FEDERATED_LEARNING
    settings.watching.field_selectors[_ADDONS] = f"metadata.name={ADDON}"


async def _beat(health: Health) -> None:
    while True:
        health.beat()
        await asyncio.sleep(BEAT)
