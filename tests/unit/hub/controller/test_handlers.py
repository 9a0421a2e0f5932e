"""What the API server tells wakes what it is about, and nothing that it tells is lost."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import kopf
import pytest

from fedspoke.api.errors import Failed
from fedspoke.api.names import ADDON, FEDERATED_LEARNING
from fedspoke.hub.controller.handlers import Converging, narrow

_SECONDS = 20


class _Steps:
    """Counts its steps; each does what the test has planned for it, and says when the next one is due."""

    def __init__(self, *planned: Callable[[], timedelta | None]) -> None:
        self.taken, self._planned, self._loop = 0, list(planned), asyncio.get_running_loop()
        self._changed = asyncio.Event()

    def __call__(self, now: datetime) -> timedelta | None:
        self.taken += 1
        self._loop.call_soon_threadsafe(self._changed.set)
        return self._planned.pop(0)() if self._planned else timedelta(hours=1)

    async def until(self, count: int) -> None:
        async with asyncio.timeout(_SECONDS):
            while self.taken < count:
                self._changed.clear()
                await self._changed.wait()


def _refuses() -> timedelta:
    raise Failed("the API server is away")


def _breaks() -> timedelta:
    raise ValueError("a bug")


def test_it_looks_at_once_and_again_when_it_is_woken():
    async def scenario() -> None:
        converging, steps = Converging(), _Steps()
        converging.begin("social", steps)
        await steps.until(1)
        assert converging.wake("social")
        await steps.until(2)

    asyncio.run(scenario())


def test_it_looks_again_when_that_is_due():
    async def scenario() -> None:
        converging, steps = Converging(), _Steps(lambda: timedelta(seconds=0.4))
        converging.begin("social", steps)
        await steps.until(2)

    asyncio.run(scenario())


def test_it_tries_again_after_a_failure_and_after_a_bug():
    async def scenario() -> None:
        for fails in (_refuses, _breaks):
            converging, steps = Converging(), _Steps(fails)
            converging.begin("social", steps)
            await steps.until(2)

    asyncio.run(scenario())


@pytest.mark.parametrize(("name", "federation"), [("team.social", "team.social"), (ADDON, None)])
def test_a_failure_is_logged_with_the_federation_that_it_is_of_if_any(
    name: str, federation: str | None, caplog: pytest.LogCaptureFixture
):
    async def scenario() -> None:
        converging, steps = Converging(), _Steps(_refuses)
        converging.begin(name, steps)
        await steps.until(2)

    asyncio.run(scenario())
    (record,) = caplog.records
    assert getattr(record, "federation", None) == federation


def test_what_happens_after_a_failure_is_not_kept_waiting():
    async def scenario() -> None:
        converging, steps = Converging(again=(3600, 3600)), _Steps(_refuses)
        converging.begin("social", steps)
        await steps.until(1)
        assert converging.wake("social")
        await steps.until(2)

    asyncio.run(scenario())


def test_what_comes_during_a_last_look_is_looked_at():
    async def scenario() -> None:
        converging = Converging()
        loop = asyncio.get_running_loop()

        def gone_and_made_anew() -> None:
            asyncio.run_coroutine_threadsafe(_begin(), loop).result()

        async def _begin() -> None:
            converging.begin("social", steps)

        steps = _Steps(gone_and_made_anew)
        converging.begin("social", steps)
        await steps.until(2)

    asyncio.run(scenario())


def test_of_what_a_hub_is_full_of_kopf_asks_for_ours_alone():
    settings = kopf.OperatorSettings()
    narrow(settings)
    asked = settings.watching
    for kind in (
        ("work.open-cluster-management.io", "v1", "manifestworks"),
        ("apps", "v1", "deployments"),
        ("", "v1", "configmaps"),
        ("", "v1", "services"),
    ):
        assert asked.label_selectors[kind] == FEDERATED_LEARNING
    addons = ("addon.open-cluster-management.io", "v1alpha1", "managedclusteraddons")
    assert asked.field_selectors[addons] == f"metadata.name={ADDON}"


def test_what_has_gone_is_forgotten():
    async def scenario() -> None:
        converging, steps = Converging(), _Steps(lambda: None)
        converging.begin("social", steps)
        (task,) = asyncio.all_tasks() - {asyncio.current_task()}
        await task
        assert not converging.wake("social")

    asyncio.run(scenario())
