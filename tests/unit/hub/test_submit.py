import importlib
import tomllib
import zipfile
from io import BytesIO

import pytest
from flwr.clientapp import ClientApp
from flwr.serverapp import ServerApp

from fedspoke.hub.aggregation.submit import app, bundle


@pytest.mark.parametrize(("component", "kind"), [("serverapp", ServerApp), ("clientapp", ClientApp)])
def test_the_app_names_halves_that_are_installed(component: str, kind: type) -> None:
    module, _, attribute = tomllib.loads(app().read_text())["tool"]["flwr"]["app"]["components"][component].partition(":")
    assert isinstance(getattr(importlib.import_module(module), attribute), kind)


def test_the_bundle_carries_no_code() -> None:
    assert set(zipfile.ZipFile(BytesIO(bundle())).namelist()) == {"pyproject.toml", ".info/CONTENT"}
