"""What the tests against real clusters share: a bare API server for what only decides, a fleet for what runs."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from support.fleet import fleet as fleets
from support.fleet import ocm
from support.fleet.apiserver import api_server
from support.fleet.binaries import Say
from support.fleet.worlds import Hub


@pytest.fixture(scope="session")
def say(request: pytest.FixtureRequest) -> Say:
    """Tells the person at the terminal what takes its time."""
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def say(what: str) -> None:
        with capture.global_and_fixture_disabled():
            print(f"\n{what}", flush=True)

    return say


@pytest.fixture(scope="session")
def hub(say: Say) -> Iterator[Hub]:
    """A real API server that knows OCM's kinds, and nothing else."""
    with TemporaryDirectory(prefix="fedspoke-hub-") as folder, api_server(Path(folder), say) as server:
        ocm.define_kinds(server, say)
        yield Hub(server, Path(folder))


@pytest.fixture(scope="session")
def fleet(say: Say) -> Iterator[fleets.Fleet]:
    """A hub and two spokes."""
    with fleets.fleet(2, say) as fleet:
        yield fleet
