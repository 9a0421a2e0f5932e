"""What is uploaded of a model can be checked where it comes to lie."""

import subprocess
from pathlib import Path

from fedspoke.api.files import SUMS
from fedspoke.upload.content import listed, summed
from support.uploads import nothing


def test_a_model_brings_the_list_by_which_it_is_checked(tmp_path: Path) -> None:
    model, own = tmp_path / "model", tmp_path / "own"
    for folder in (model / "parts", own):
        folder.mkdir(parents=True)
    (model / "config.json").write_text("{}")
    (model / "parts/a b").write_text("c")
    brought = summed(listed([model], nothing), own)
    assert [it.name for it in brought.manifest.files] == ["config.json", "parts/a b", SUMS]
    subprocess.run(["sha256sum", "--check", "--strict", brought.paths[SUMS]], cwd=model, check=True)


def test_one_that_has_its_own_list_keeps_it(tmp_path: Path) -> None:
    (tmp_path / SUMS).write_text("the owner's")
    content = listed([tmp_path], nothing)
    assert summed(content, tmp_path / "nowhere") == content
