"""The command as a person types it, in this process."""

import sys
from collections.abc import Callable

import pytest

from fedspoke.cli.main import main


@pytest.fixture
def fedspoke(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[object, str, str]]:
    """`fedspoke("place", cr, …)` answers with exit status, stdout and stderr."""

    def run(*arguments: object) -> tuple[object, str, str]:
        monkeypatch.setattr(sys, "argv", ["fedspoke", *map(str, arguments)])
        with pytest.raises(SystemExit) as exit_:
            main()
        out, err = capsys.readouterr()
        return exit_.value.code or 0, out, err

    return run
