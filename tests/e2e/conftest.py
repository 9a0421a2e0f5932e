"""What the tests against real clusters share: a bare API server for what only decides, a fleet for what runs.

Of a test that fails with a fleet, the logs and objects of all clusters are kept in `out/e2e/<test>`.
"""

import re
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from support.fleet import evidence, given, images, ocm
from support.fleet.apiserver import api_server
from support.fleet.binaries import Say
from support.fleet.fleet import Fleet, OwnFleet, own
from support.fleet.worlds import Hub

_KEPT = Path(__file__).parents[2] / "out/e2e"
_FIRST = (
    "test_lifecycle.py",
    "test_from_upload.py",
    "test_agent.py",
    "test_images.py",
    "test_losses.py",
    "test_federation.py",
    "test_curated.py",
)
"""What takes longest: of several processes side by side, none begins it when the others are nearly done."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: _FIRST.index(item.path.name) if item.path.name in _FIRST else len(_FIRST))


@pytest.fixture(scope="session")
def say(request: pytest.FixtureRequest) -> Say:
    """Tells the person at the terminal what takes its time."""
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def say(what: str) -> None:
        with capture.global_and_fixture_disabled():
            print(f"\n{what}", file=sys.stderr, flush=True)  # one of several runs side by side has no other way to the terminal

    return say


@pytest.fixture(scope="session")
def hub(say: Say) -> Iterator[Hub]:
    """A real API server that knows OCM's kinds, and nothing else."""
    with TemporaryDirectory(prefix="fedspoke-hub-") as folder, api_server(Path(folder), say) as server:
        ocm.define_kinds(server, say)
        yield Hub(server, Path(folder))


@pytest.fixture(scope="session")
def fleet(say: Say) -> Iterator[Fleet]:
    """A hub and two spokes that joined it: those that the environment names, or else our own."""
    if members := given.clusters():
        yield Fleet(members[0], members[1:])
    else:
        if hidden := [path for path in images.python() if Path("/tmp") in path.parents]:  # noqa: S108  the pods' own
            pytest.skip(f"{hidden[0]} is under /tmp, of which pods have one of their own: clone the repository elsewhere")
        with own(2, say, _KEPT / "start") as fleet:
            yield fleet


@pytest.fixture(scope="session")
def own_fleet(fleet: Fleet) -> OwnFleet:
    """A fleet that harm can be done to."""
    if not isinstance(fleet, OwnFleet):
        pytest.skip(
            "kills programs, cuts cables or puts files into volumes: a fleet of our own can do that, and named clusters not"
        )
    return fleet


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    fleet = getattr(item, "funcargs", {}).get("fleet") or getattr(item, "funcargs", {}).get("own_fleet")
    if report.failed and fleet:
        kept = _KEPT / re.sub(r"\W+", "-", item.name)
        for member in (fleet.hub, *fleet.spokes):
            evidence.objects(member.kubernetes, kept / member.name)
        if isinstance(fleet, OwnFleet):
            evidence.logs((cluster.folder for cluster in (fleet.hub, *fleet.spokes)), kept)
        report.sections.append(("fleet", f"logs and objects of all clusters are in {kept}"))
    return report
