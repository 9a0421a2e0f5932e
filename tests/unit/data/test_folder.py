import os
import pickle
from pathlib import Path

import pytest

from fedspoke.data.exports.files import UnusableError
from fedspoke.data.exports.folder import Folder

POSTS = ["posts/your_posts*.json"]


def write(folder: Path, *files: str) -> Folder:
    for name in files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    folder.mkdir(exist_ok=True)
    return Folder(folder)


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("photos/1.jpg", None),
        ("photos\\1.jpg", None),
        ("./photos//1.jpg", None),
        ("gone.jpg", "missing_media"),
        ("photos", "missing_media"),
        ("", "missing_media"),
        ("x" * 300, "missing_media"),
        ("nul\0", "missing_media"),
        ("half\ud83d", "missing_media"),
        ("pipe.jpg", "missing_media"),
        ("../outside.jpg", "unsafe_path"),
        ("/etc/hostname", "unsafe_path"),
        ("C:\\windows", "unsafe_path"),
        ("link.jpg", "unsafe_path"),
        ("linked/1.jpg", "unsafe_path"),
        ("linked/../../outside.jpg", "unsafe_path"),
    ],
)
def test_a_file_is_had_only_if_it_is_one_and_lies_inside(tmp_path: Path, uri: str, reason: str | None) -> None:
    folder = write(tmp_path / "export", "photos/1.jpg")
    (tmp_path / "outside.jpg").write_bytes(b"outside")
    (folder.root / "link.jpg").symlink_to(tmp_path / "outside.jpg")
    (folder.root / "linked").symlink_to(folder.root / "photos")
    os.mkfifo(folder.root / "pipe.jpg")

    assert folder.lacking(uri) == reason
    if reason is None:
        with folder.open(uri) as file:
            assert file.read() == b"photos/1.jpg"
    else:
        with pytest.raises(OSError, match=r"."):
            folder.open(uri)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_told_apart_from_one_that_is_not_there(tmp_path: Path) -> None:
    folder = write(tmp_path, "1.jpg")
    (tmp_path / "1.jpg").chmod(0)

    assert folder.lacking("1.jpg") == "unreadable_media"


def test_names_fit_the_patterns_and_no_link_leads_to_them(tmp_path: Path) -> None:
    other = write(tmp_path / "other", "album/9.json")
    found = write(
        tmp_path / "export", "posts/your_posts_10.json", "posts/your_posts_2.json", "posts/your_posts_2.html", "posts/x.json"
    )
    (found.root / "posts/album").symlink_to(other.root / "album")

    assert found.names(["posts/album/*.json", *POSTS, "none/*.json"]) == ["posts/your_posts_2.json", "posts/your_posts_10.json"]


def test_more_files_than_any_export_has_are_not_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fedspoke.data.exports.folder.MOST", 2)

    with pytest.raises(UnusableError, match="holds more than 2 files of posts"):
        write(tmp_path, *(f"posts/your_posts_{number}.json" for number in range(3))).names(POSTS)


def test_folders_and_zips_are_those_that_a_person_put_there(tmp_path: Path) -> None:
    folder = write(tmp_path / "export", "b_10/x", "b_2/x", ".hidden/x", "1.zip", "B.ZIP", ".2.zip", "x.txt")
    (folder.root / "link").symlink_to(folder.root / "b_2")
    (folder.root / "link.zip").symlink_to(folder.root / "1.zip")
    (folder.root / "folder.zip").mkdir()

    assert folder.folders() == ["b_2", "b_10", "folder.zip"]
    assert [path.name for path in folder.zips()] == ["1.zip", "B.ZIP"]


def test_the_fingerprint_changes_with_any_file_and_with_nothing_else(tmp_path: Path) -> None:
    folder = write(tmp_path / "export", "posts/1.json", "photos/1.jpg")
    first = folder.fingerprint()
    assert pickle.loads(pickle.dumps(folder)).fingerprint() == first  # noqa: S301  our own bytes
    moved = Folder((tmp_path / "export").rename(tmp_path / "moved"))
    assert moved.fingerprint() == first

    os.utime(moved.root / "photos/1.jpg", ns=(0, 0))
    touched = moved.fingerprint()
    (moved.root / "photos/1.jpg").rename(moved.root / "photos/2.jpg")

    assert len({first, touched, moved.fingerprint()}) == 3
