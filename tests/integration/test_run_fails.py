"""A federation that was begun and goes wrong ends quickly, says why, and leaves no process behind."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from support.example import Example, call, copied, fedspoke
from support.whole_run import example


@pytest.fixture
def given(tmp_path) -> Example:
    return copied(example(), tmp_path / "example")


def processes_of(given: Example) -> list[psutil.Process]:
    """Whatever still runs with a file of this example in its command line."""
    found = []
    for process in psutil.process_iter():
        try:
            if any(str(given.folder) in word for word in process.cmdline()):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return found


def status(given: Example) -> Any:
    return yaml.safe_load((given.out / "federatedlearning.yaml").read_text())["status"]


def rounds(out: Path) -> int:
    file = out / "rounds.jsonl"
    return len(file.read_text().splitlines()) if file.exists() else 0


def until(condition, seconds, process):
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < end
        time.sleep(0.05)


def test_an_empty_data_set_names_the_cluster_and_the_counts(given):
    posts = given.folder / "exports/instagram/your_instagram_activity/media/posts_1.json"
    posts.write_text("[]")
    done = call(given.command(), 120)
    assert done.returncode == 1
    assert "lyon" in done.stderr.splitlines()[-1]
    assert "clean_data" in done.stderr.splitlines()[-1]
    assert status(given)["phase"] == "Failed"
    assert processes_of(given) == []


def test_a_trainer_that_cannot_be_started_again_in_round_2_is_named_and_the_run_goes_on_from_round_1_when_it_is_given_again(
    given,
):
    with subprocess.Popen(given.command(), stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        until(lambda: rounds(given.out) == 1, 150, run)
        (trainer,) = [p for p in processes_of(given) if "mcp" in p.cmdline() and any("lyon" in word for word in p.cmdline())]
        (given.out / "clusters/lyon/config/collaborator.json").write_text("{}")
        trainer.send_signal(signal.SIGKILL)
        _, said = run.communicate(timeout=300)
    assert run.returncode == 1
    assert "lyon" in said.splitlines()[-1]
    assert "mcp-server ended with exit code 2: fedspoke: the settings file" in said.splitlines()[-1]
    assert status(given)["phase"] == "Failed"
    assert processes_of(given) == []

    first = json.loads((given.out / "rounds.jsonl").read_text().splitlines()[0])
    again = call(given.command(), 200)
    assert again.returncode == 0, again.stderr
    finished = [json.loads(line) for line in (given.out / "rounds.jsonl").read_text().splitlines()]
    assert finished[0] == first
    assert [line["round"] for line in finished] == [1, 2, 3]
    assert status(given)["phase"] == "Completed"


def test_an_aggregator_that_stands_still_ends_with_the_deadline(given):
    given.change(deadline="5s")
    with subprocess.Popen(given.command(), stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        until((given.out / "hub/state/progress.json").exists, 60, run)
        for process in processes_of(given):
            if "aggregator" in process.cmdline():
                process.suspend()
        _, said = run.communicate(timeout=90)
    assert run.returncode == 1
    assert "deadline" in said.splitlines()[-1]
    assert status(given)["phase"] == "Failed"
    assert processes_of(given) == []


def test_a_run_that_is_killed_takes_all_that_it_started_with_it_and_its_status_says_that_it_can_go_on(given):
    with subprocess.Popen(given.command(), stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        until(lambda: len(processes_of(given)) > 8, 60, run)
        run.kill()
    assert psutil.wait_procs(processes_of(given), timeout=20)[1] == []
    shown = call([*fedspoke("status"), str(given.out)])
    assert shown.returncode == 0
    assert f"no run is at work in {given.out}" in shown.stderr
    assert status(given)["phase"] == "Waiting"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_interrupted_ends_all_that_it_started(given, number):
    with subprocess.Popen(given.command(), stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        until(lambda: len(processes_of(given)) > 8, 60, run)
        os.kill(run.pid, number)
        _, said = run.communicate(timeout=300)
    assert run.returncode == 1
    assert "Traceback" not in said
    assert processes_of(given) == []
