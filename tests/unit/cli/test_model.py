"""`fedspoke model` ends as every command does: 0 with a folder, 2 with one sentence and nothing touched."""

import pytest

from support.tiny import tiny_llava


def test_tiny_makes_a_model(tmp_path, fedspoke):
    assert fedspoke("model", "tiny", tmp_path / "tiny")[0] == 0
    assert (tmp_path / "tiny" / "model.safetensors").read_bytes() == (tiny_llava() / "model.safetensors").read_bytes()


def test_download_takes_a_path(tmp_path, fedspoke):
    assert fedspoke("model", "download", tiny_llava(), tmp_path / "copy")[0] == 0
    assert {path.name for path in (tmp_path / "copy").iterdir()} == {path.name for path in tiny_llava().iterdir()}


@pytest.mark.parametrize("command", [["tiny"], ["download", "/nowhere/llava"]])
def test_a_folder_that_is_not_empty_exits_with_2_and_one_sentence(command, tmp_path, fedspoke):
    (tmp_path / "letter.txt").write_text("dear")
    status, _, said = fedspoke("model", *command, tmp_path)
    assert status == 2
    assert said == f"fedspoke: {tmp_path} exists and is not empty; name a new folder\n"
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]
