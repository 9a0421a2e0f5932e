"""Flower's programs are started only where they are the ones that the hub and the spokes were written for."""

import tomllib
from pathlib import Path

import pytest

from fedspoke.api.errors import Failed
from fedspoke.flower import programs


def test_the_release_is_the_one_that_both_extras_pin() -> None:
    document = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())
    pins = [pin for extra in document["project"]["optional-dependencies"].values() for pin in extra if pin.startswith("flwr")]
    assert pins == [f"flwr=={programs.FLOWER}"] * 2


def test_another_release_is_refused_with_a_sentence_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "FLOWER", "9.9.9")
    refusal = r"Flower [0-9.]+ is installed, and fedspoke works with 9.9.9 alone; install flwr==9.9.9"
    with pytest.raises(Failed, match=refusal), programs.daemon("flower-superlink", [], tmp_path / "home"):
        pass
    assert not (tmp_path / "home").exists()
