"""Both ends of an upload: whatever is cut, all is there in the end, nothing was sent twice, nothing half is in its place."""

import fcntl
import multiprocessing
import os
import sys
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedspoke.api.errors import Final
from fedspoke.kube.exec import CutError
from fedspoke.upload.content import Content
from fedspoke.upload.inbox import Inbox
from fedspoke.upload.manifest import File, Manifest
from support.uploads import Line, content, nothing, over, there

POSTS = {"posts__1.json": b"[1]" * 100, "photos__a.jpg": b"\xff" * 5000, "photos__empty": b""}
UPLOADED = {name.replace("__", "/"): data for name, data in POSTS.items()}


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    (tmp_path / "volume").mkdir()
    return tmp_path / "volume"


@pytest.fixture
def posts(tmp_path: Path) -> Content:
    return content(tmp_path / "export", **POSTS)


def test_what_is_uploaded_is_there(volume: Path, posts: Content):
    assert over(Line(volume), posts) == posts.manifest.size
    assert there(volume) == UPLOADED


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.sampled_from(["a", "b__c", "b__d", "e.part"]), st.binary(max_size=40), min_size=1),
    st.lists(st.integers(0, 60), max_size=6),
)
def test_wherever_the_line_is_cut_all_is_there_in_the_end_and_nothing_was_sent_twice(files: dict[str, bytes], cuts: list[int]):
    with TemporaryDirectory() as folder:
        volume = Path(folder) / "volume"
        volume.mkdir()
        of = content(Path(folder) / "export", **files)
        announced, sent = len(of.manifest.model_dump_json()) + 1, 0
        for cut in cuts:
            line = Line(volume, announced + cut)
            try:
                over(line, of)
            except CutError:
                assert there(volume) == {}
            sent += line.written - announced
        sent += over(Line(volume), of)
        assert there(volume) == {name.replace("__", "/"): data for name, data in files.items()}
        assert sent == of.manifest.size


def test_what_was_there_stays_until_the_next_is_whole(tmp_path: Path, volume: Path, posts: Content):
    over(Line(volume), posts)
    other = content(tmp_path / "other", **{"posts__2.json": b"[2]" * 100})
    with pytest.raises(CutError):
        over(Line(volume, len(other.manifest.model_dump_json()) + 50), other)
    assert there(volume) == UPLOADED
    over(Line(volume), other)
    assert there(volume) == {"posts/2.json": b"[2]" * 100}


def test_another_upload_than_the_one_that_was_begun_starts_anew(tmp_path: Path, volume: Path, posts: Content):
    other = content(tmp_path / "other", **{"posts__1.json": b"[3]" * 100})
    with pytest.raises(CutError):
        over(Line(volume, len(other.manifest.model_dump_json()) + 200), other)
    assert over(Line(volume), posts) == posts.manifest.size
    assert there(volume) == UPLOADED


def test_the_same_upload_is_not_taken_twice_unless_somebody_touched_it(volume: Path, posts: Content):
    over(Line(volume), posts)
    assert over(Line(volume), posts) == 0
    (volume / "photos/a.jpg").unlink()
    assert over(Line(volume), posts) == posts.manifest.size
    assert there(volume) == UPLOADED


@pytest.mark.parametrize("cleared", [False, True])
def test_placing_goes_on_where_it_was_interrupted(volume: Path, posts: Content, cleared: bool):
    (volume / "old.json").write_bytes(b"old")
    inbox = Inbox(volume, posts.manifest)
    for file in inbox.lacking():
        with posts.paths[file.name].open("rb") as source:
            inbox.take(file, source)
    inbox._tell("whole")
    if cleared:
        (volume / "old.json").unlink()
        inbox._tell("cleared")
        (volume / ".incoming/content/posts").rename(volume / "posts")
    assert over(Line(volume), posts) == 0
    assert there(volume) == UPLOADED


@pytest.mark.parametrize("same", [True, False])
def test_wherever_it_is_killed_the_next_upload_is_there_whole(tmp_path: Path, posts: Content, same: bool):
    before, other = (content(tmp_path / it, **{"posts__1.json": b"old", f"{it}.json": b"old"}) for it in ("before", "other"))
    wanted = posts if same else other
    for moment in count(1):
        volume = tmp_path / f"volume-{moment}"
        volume.mkdir()
        over(Line(volume), before)
        ended = killed_at(moment, volume, posts)
        over(Line(volume), wanted)
        assert there(volume) == {name: path.read_bytes() for name, path in wanted.paths.items()}, moment
        assert not (volume / ".outgoing").exists(), moment
        if ended:
            break
    assert moment > 20


def killed_at(moment: int, volume: Path, of: Content) -> bool:
    """An upload whose receiver is killed before its so-and-so-many-th change of a folder; whether it had ended before."""

    def upload() -> None:
        left = count(moment, -1)
        sys.addaudithook(lambda event, _: next(left) == 1 and os._exit(1) if event in _CHANGES else None)
        over(Line(volume), of)
        os._exit(0)

    process = multiprocessing.get_context("fork").Process(target=upload)
    process.start()
    process.join()
    return process.exitcode == 0


_CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir"}


def test_what_changes_while_it_is_sent_is_refused(volume: Path, posts: Content):
    posts.paths["photos/a.jpg"].write_bytes(b"\x00" * 5000)
    with pytest.raises(Final, match=r"photos/a.jpg came with another digest than announced"):
        over(Line(volume), posts)
    posts.paths["photos/a.jpg"].write_bytes(b"\x00")
    with pytest.raises(Final, match="became shorter while it was sent"):
        over(Line(volume), posts)
    assert there(volume) == {}


def test_what_does_not_fit_is_refused_before_it_is_sent(volume: Path, tmp_path: Path):
    huge = Manifest(files=(File(name="a", size=1 << 60, digest="0" * 64),))
    with pytest.raises(Final, match=r"the volume has \d+ MiB free and the upload needs \d+ MiB more: enlarge its claim"):
        over(Line(volume), Content(manifest=huge, paths={"a": tmp_path / "a"}))


@pytest.mark.parametrize(
    "name", ["../a", "/etc/passwd", "a/../../b", "", "a//b", "./a", ".incoming/placed", "a\\u0000", "a" * 5000]
)
def test_a_name_that_leads_out_of_the_volume_is_refused(volume: Path, name: str):
    with Line(volume) as line:
        line.write(b'{"files":[{"name":"%s","size":0,"digest":"%s"}]}\n' % (name.encode(), b"0" * 64))
        assert b"must" in line.readline()
    assert there(volume.parent) == {}


def test_two_uploads_at_once_do_not_meet(volume: Path, posts: Content):
    descriptor = os.open(volume, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        with pytest.raises(Final, match="another upload to this volume is at work"):
            over(Line(volume), posts)
    finally:
        os.close(descriptor)


def test_two_files_of_one_name_are_refused(tmp_path: Path):
    from fedspoke.api.errors import Refused
    from fedspoke.upload.content import listed

    for part in ("one", "two"):
        content(tmp_path / part, **{"a.zip": b""})
    with pytest.raises(Refused, match=r"two of the files are named a.zip"):
        listed([tmp_path / "one/a.zip", tmp_path / "two/a.zip"], nothing)
