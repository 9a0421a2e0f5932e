"""What the tests against real clusters share: one hub for all of them."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from support.fleet import ocm
from support.fleet.apiserver import api_server
from support.fleet.worlds import Hub


@pytest.fixture(scope="session")
def hub(request: pytest.FixtureRequest) -> Iterator[Hub]:
    """A real API server that knows OCM's kinds. What it builds at first, it says on the terminal."""
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def say(what: str) -> None:
        with capture.global_and_fixture_disabled():
            print(f"\n{what}", flush=True)

    with TemporaryDirectory(prefix="fedspoke-hub-") as folder, api_server(Path(folder), say) as server:
        ocm.define_kinds(server, say)
        yield Hub(server, Path(folder))
