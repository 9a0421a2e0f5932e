import hashlib
import os
import resource
import stat
import threading
from pathlib import Path

import pytest

from fedspoke.api.files import replace, sha256


def test_a_file_has_the_new_content_and_nothing_is_beside_it(tmp_path: Path) -> None:
    replace(tmp_path / "file", b"old, and longer")
    replace(tmp_path / "file", b"new")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"file": b"new"}


def test_whoever_has_the_old_file_open_reads_the_old_content(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    with (tmp_path / "file").open("rb") as reader:
        replace(tmp_path / "file", b"new")
        assert reader.read() == b"old"


@pytest.mark.parametrize(("mode", "umask", "found"), [(0o644, 0o022, 0o644), (0o644, 0o077, 0o600), (0o600, 0, 0o600)])
def test_the_permissions_are_those_asked_for_less_the_umask(tmp_path: Path, mode: int, umask: int, found: int) -> None:
    before = os.umask(umask)
    try:
        replace(tmp_path / "file", b"", mode)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == found


def test_a_name_that_is_taken_by_a_folder_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="taken"):
        replace(tmp_path / "taken", b"content")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_a_disk_that_takes_half_of_it_leaves_the_old_content_and_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    _, most = limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5, most))
    try:
        with pytest.raises(OSError, match="too large"):
            replace(tmp_path / "file", b"longer than that")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"file": b"old"}


def test_writers_at_the_same_time_leave_one_of_their_contents_whole(tmp_path: Path) -> None:
    contents = [bytes([letter]) * 100_000 for letter in b"abcd"]
    writers = [threading.Thread(target=replace, args=(tmp_path / "file", content)) for content in contents]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert (tmp_path / "file").read_bytes() in contents
    assert len(list(tmp_path.iterdir())) == 1


def test_a_file_is_known_by_the_sha_256_of_its_content(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content" * 100_000)
    assert sha256(tmp_path / "file") == hashlib.sha256(b"content" * 100_000).hexdigest()
