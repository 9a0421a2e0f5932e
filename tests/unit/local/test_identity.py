"""A key and its certificate are replaced as one."""

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from hypothesis import given
from hypothesis import strategies as st

from fedspoke.local.identity import install, request

OLD, NEW = ({"tls.key": text, "tls.crt": text} for text in (b"old", b"new"))


def test_a_request_proves_that_its_sender_holds_the_key() -> None:
    key, csr = request()
    asked = x509.load_pem_x509_csr(csr)
    assert asked.is_signature_valid
    assert asked.public_key() == load_pem_private_key(key, None).public_key()


def read(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith("..")}


def test_only_the_owner_may_read(tmp_path: Path) -> None:
    install(tmp_path / "identity", OLD)
    assert read(tmp_path / "identity") == OLD
    paths = [tmp_path / "identity", *(tmp_path / "identity").rglob("*")]
    assert {path.stat().st_mode & 0o077 for path in paths} == {0}


def test_both_files_change_by_one_rename(tmp_path: Path) -> None:
    install(tmp_path, OLD)
    before = (tmp_path / "..data").resolve()
    held = {name: (tmp_path / name).readlink() for name in OLD}
    install(tmp_path, NEW)
    assert read(tmp_path) == NEW
    assert {name: (tmp_path / name).readlink() for name in NEW} == held
    assert not before.exists()


def test_the_same_files_again_change_nothing(tmp_path: Path) -> None:
    install(tmp_path, OLD)
    inode = (tmp_path / "..data").lstat().st_ino
    install(tmp_path, OLD)
    assert (tmp_path / "..data").lstat().st_ino == inode


@given(st.lists(st.sampled_from([OLD, NEW]), min_size=1, max_size=6))
def test_what_was_installed_last_is_there_and_nothing_else_is_left(
    tmp_path_factory: pytest.TempPathFactory, installs: list[dict[str, bytes]]
) -> None:
    folder = tmp_path_factory.mktemp("identity")
    for files in installs:
        install(folder, files)
    assert read(folder) == installs[-1]
    assert len(list(folder.iterdir())) == len(OLD) + len(["..data", "..version"])


def test_an_attempt_that_ended_half_way_does_not_stop_the_next(tmp_path: Path) -> None:
    install(tmp_path, NEW)
    (tmp_path / "..data").unlink()
    (tmp_path / "tls.key").unlink()
    (tmp_path / "..link").symlink_to("nowhere")
    install(tmp_path, NEW)
    assert read(tmp_path) == NEW
