import sys
from pathlib import Path

import pytest

from fedspoke.cli.main import main

COMMITTED = Path(__file__).parents[3] / "hub/deploy/crd.yaml"


def test_the_command_prints_the_committed_crd(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["fedspoke", "crd"])

    with pytest.raises(SystemExit) as exit_:
        main()

    assert not exit_.value.code
    assert capsys.readouterr().out == COMMITTED.read_text(encoding="utf-8")
