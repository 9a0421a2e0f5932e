"""`fedspoke model` ends as every command does: 0 with a folder, 2 with one sentence and nothing touched."""

from pathlib import Path

import pytest

from fedspoke.cli.main import main
from support.tiny import tiny_llava


def fedspoke(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["fedspoke", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


def test_tiny_makes_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert fedspoke(monkeypatch, "model", "tiny", str(tmp_path / "tiny")) == 0
    assert (tmp_path / "tiny" / "model.safetensors").read_bytes() == (tiny_llava() / "model.safetensors").read_bytes()


def test_download_takes_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert fedspoke(monkeypatch, "model", "download", str(tiny_llava()), str(tmp_path / "copy")) == 0
    assert {path.name for path in (tmp_path / "copy").iterdir()} == {path.name for path in tiny_llava().iterdir()}


@pytest.mark.parametrize("command", [["tiny"], ["download", "/nowhere/llava"]])
def test_a_folder_that_is_not_empty_exits_with_2_and_one_sentence(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    assert fedspoke(monkeypatch, "model", *command, str(tmp_path)) == 2
    assert capsys.readouterr().err == f"fedspoke: {tmp_path} exists and is not empty; name a new folder\n"
