"""What is removed of a federation's folder, and what is not."""

import os
from pathlib import Path

import pytest

from fedspoke.agent.wipe import wipe
from fedspoke.api.errors import Failed


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    output = tmp_path / "output"
    for name in (
        "releases.json",
        "profiles/facebook.json",
        "training/checkpoint.safetensors",
        "records/facebook/.prepare/x",
        ".y",
    ):
        (output / name).parent.mkdir(parents=True, exist_ok=True)
        (output / name).write_text(name)
    return output


def left(folder: Path) -> set[str]:
    return {str(it.relative_to(folder)) for it in folder.rglob("*")}


def test_all_goes_but_the_folder_itself(folder: Path):
    wipe(folder, keep_ledgers=False)
    assert left(folder) == set()


def test_ledgers_may_stay(folder: Path):
    wipe(folder, keep_ledgers=True)
    assert left(folder) == {"releases.json", "profiles", "profiles/facebook.json"}


def test_once_more_is_as_good(folder: Path):
    for _ in range(2):
        wipe(folder, keep_ledgers=False)
    assert left(folder) == set()


def test_a_link_goes_and_what_it_leads_to_stays(folder: Path, tmp_path: Path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/post.json").write_text("mine")
    (folder / "records/link").symlink_to(tmp_path / "mine")
    (folder / "link").symlink_to(tmp_path / "mine/post.json")
    wipe(folder, keep_ledgers=False)
    assert left(folder) == set()
    assert (tmp_path / "mine/post.json").read_text() == "mine"


def test_a_folder_that_was_closed_goes(folder: Path):
    (folder / "records/facebook").chmod(0o500)
    (folder / "records").chmod(0)
    wipe(folder, keep_ledgers=False)
    assert left(folder) == set()


def test_folders_in_each_other_go_however_many(folder: Path):
    nested(folder, "d", 1200)
    wipe(folder, keep_ledgers=False)
    assert left(folder) == set()


def test_what_cannot_be_removed_is_told_and_the_rest_is_gone(folder: Path):
    name = "n" * 200
    nested(folder, name, 25)  # so that no call takes the path of the innermost
    with pytest.raises(Failed, match="not all of the output can be removed: File name too long; make its volume"):
        wipe(folder, keep_ledgers=False)
    assert {it.name for it in folder.iterdir()} == {name}


def nested(folder: Path, name: str, times: int) -> None:
    at = os.open(folder, os.O_RDONLY)
    for _ in range(times):
        os.mkdir(name, dir_fd=at)
        inner = os.open(name, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = inner
    os.close(at)
