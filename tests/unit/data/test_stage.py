import resource
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fedspoke.api.errors import Failed
from fedspoke.data import stage


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """No file may be longer, as on a disk that is nearly full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def write(folder: Path, entries: Iterable[str]) -> None:
    with stage.writing(folder / "list.json", folder / "partial") as add:
        for entry in entries:
            add(entry)


@pytest.mark.parametrize("size", [0, 100, 5_000, 8_192, 20_000])
@pytest.mark.parametrize("entry", [10, 3_000, 50_000], ids=lambda length: f"entries of {length}")
def test_a_full_disk_is_one_sentence_that_names_the_file_wherever_it_is_met(tmp_path: Path, size: int, entry: int) -> None:
    with room_for(size), pytest.raises(Failed, match=rf"list\.json cannot be written into {tmp_path}: File too large"):
        write(tmp_path, ["x" * entry] * (60_000 // entry))
    assert not (tmp_path / "list.json").exists()


def test_an_error_of_whoever_writes_stays_his_own_and_no_list_is_left(tmp_path: Path) -> None:
    def entries() -> Iterator[str]:
        yield "x" * 100
        raise RuntimeError("mine")

    with room_for(10), pytest.raises(RuntimeError, match="mine"):
        write(tmp_path, entries())
    assert not (tmp_path / "list.json").exists()
