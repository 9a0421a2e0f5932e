"""Preparing an export while runs are killed, or meet: what is left is what an undisturbed run leaves."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from fedspoke.data.prepare import prepare
from support import exports as build
from support.preparing import content, imagined

POSTS = 60


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return imagined(tmp_path_factory.mktemp("export"), POSTS)


@pytest.fixture(scope="module")
def undisturbed(export: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], int]:
    """What a run leaves, and how often it tells of its progress."""
    folder = tmp_path_factory.mktemp("undisturbed")
    calls: list[object] = []
    prepare([export], folder, lambda *told: calls.append(told))
    return content(folder), len(calls)


def started(export: Path, folder: Path, calls: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "support.preparing", str(export), str(folder), str(calls)]
    paths = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.Popen(command, env=os.environ | paths, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("seed", range(3))
def test_runs_that_are_killed_leave_no_half_file_and_the_last_one_what_an_undisturbed_run_leaves(
    export: Path, undisturbed: tuple[dict[str, bytes], int], tmp_path: Path, seed: int
) -> None:
    whole, calls = undisturbed
    folder = tmp_path / "out"

    for call in random.Random(seed).sample(range(1, calls), 2):
        run = started(export, folder, call)
        assert run.stdout
        assert run.stdout.readline() in ("now\n", "")  # "": it went on where the one before stopped, and had less to tell
        others = psutil.Process(run.pid).children(recursive=True) if run.poll() is None else []
        run.kill()
        run.wait()

        _, alive = psutil.wait_procs(others, timeout=30)
        assert not alive
        left = {name: held for name, held in content(folder).items() if not name.startswith(".prepare/")}
        assert all(whole[name] == held for name, held in left.items() if not name.startswith("images/"))
        assert all(held.endswith(b"\xff\xd9") for name, held in left.items() if name.startswith("images/"))

    prepare([export], folder, lambda *_: None)
    assert content(folder) == whole


def test_a_run_that_goes_on_decodes_no_photo_again(export: Path, tmp_path: Path) -> None:
    class Stopped(Exception):
        pass

    def stop(what: str, done: int, total: int | None) -> None:
        if (what, done) == ("photos decoded", 20):
            raise Stopped

    with pytest.raises(Stopped):
        prepare([export], tmp_path, stop)
    told: list[tuple[str, int, int | None]] = []
    prepare([export], tmp_path, lambda *said: told.append(said))

    assert min(done for what, done, _ in told if what == "photos decoded") == 21


def test_how_many_processes_work_makes_no_difference(
    export: Path, undisturbed: tuple[dict[str, bytes], int], tmp_path: Path
) -> None:
    """One core alone, as `taskset` would have it."""
    command = [sys.executable, "-m", "fedspoke.cli", "data", "prepare", str(export), str(tmp_path / "out")]
    one = min(os.sched_getaffinity(0))

    subprocess.run(command, check=True, capture_output=True, preexec_fn=lambda: os.sched_setaffinity(0, {one}))

    assert content(tmp_path / "out") == undisturbed[0]


def test_the_second_of_two_runs_at_once_is_refused(export: Path, tmp_path: Path) -> None:
    first = started(export, tmp_path / "out", 1)
    assert first.stdout
    assert first.stdout.readline() == "now\n"
    first.send_signal(signal.SIGSTOP)
    try:
        command = [sys.executable, "-m", "fedspoke.cli", "data", "prepare", str(export), str(tmp_path / "out")]
        second = subprocess.run(command, check=False, capture_output=True, text=True)
    finally:
        first.send_signal(signal.SIGCONT)

    assert second.returncode == 2
    assert second.stderr.endswith("is in use by another run; wait for its end, or name another folder\n")
    assert first.wait() == 0


def test_ctrl_c_is_one_sentence_and_leaves_nobody_behind(export: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "fedspoke.cli", "data", "prepare", str(export), str(tmp_path / "out")]
    run = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while not (children := psutil.Process(run.pid).children(recursive=True)) and run.poll() is None:
        time.sleep(0.01)
    run.send_signal(signal.SIGINT)
    _, said = run.communicate()

    assert run.returncode == 1
    assert said.splitlines()[-1] == "fedspoke: interrupted; the same command goes on where this one stopped"
    assert not psutil.wait_procs(children, timeout=30)[1]


def test_memory_does_not_grow_with_the_export(tmp_path: Path) -> None:
    """Ten times as many posts, 36 MB more of text; of what is read and written here no more is held than caches of fixed size."""
    peaks = [extracting(tmp_path / str(posts), posts) for posts in (400, 4000)]

    assert peaks[1] - peaks[0] < 18 << 20


def extracting(folder: Path, posts: int) -> int:
    """The most memory that a process has in which so many posts of 10 kB are extracted, in bytes."""
    build.write(folder / "export", {build.FACEBOOK_POSTS: [build.facebook_post(f"{n} " * 2000, at=n + 1) for n in range(posts)]})
    lines = (
        "import sys, pathlib",
        "from fedspoke.data import extract, output, prepare",
        "paths = [pathlib.Path(word) for word in sys.argv[1:]]",
        "with output.Output.open(paths[1]) as out: extract.extract(prepare.find_for(paths[:1], paths[1]), out, lambda *_: None)",
        "print(pathlib.Path('/proc/self/status').read_text())",
    )
    command = [sys.executable, "-c", "\n".join(lines), str(folder / "export"), str(folder / "out")]
    status = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    [peak] = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(peak) << 10
