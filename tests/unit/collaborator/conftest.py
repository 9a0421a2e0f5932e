"""What trainings start from."""

from pathlib import Path

import pytest

from fedspoke.data.records import CleanRecord
from support.tiny import coloured_shapes, record
from support.training import first_adapter, trainer


@pytest.fixture
def start(tmp_path: Path) -> Path:
    """The adapter of a first round."""
    return first_adapter(trainer(), tmp_path / "start")


@pytest.fixture
def posts(tmp_path: Path) -> list[CleanRecord]:
    """Eight with a picture and one without."""
    return [*coloured_shapes(tmp_path), record("no picture, only these words")]
