"""Containers as processes: whoever starts them ends them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from fedspoke.api.errors import Failed
from fedspoke.local.processes import machine


def python(name, script, **environment):
    return {
        "name": name,
        "command": [sys.executable, "-u", "-c", script],
        "env": [{"name": key, "value": value} for key, value in environment.items()],
    }


def until(condition, seconds=20.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.02)


def test_a_container_gets_its_environment_and_logs_to_a_file_of_its_own(tmp_path):
    with machine(tmp_path) as here:
        process = here.start("berlin", python("hello", "import os; print('hello', os.environ['WHO'])", WHO="spoke"))
        until(lambda: process.exit_code == 0)
    assert (tmp_path / "berlin-hello.log").read_text() == "hello spoke\n"


def test_the_exit_code_and_the_last_line_say_why_a_container_ended(tmp_path):
    with machine(tmp_path) as here:
        process = here.start("berlin", python("bad", "print('it was the disk'); raise SystemExit(3)"))
        until(lambda: process.exit_code is not None)
        assert process.exit_code == 3
        assert process.last_words() == "it was the disk"


def test_nothing_is_left_even_of_a_child_that_ignores_signals_and_orphans_its_own(tmp_path):
    stubborn = """
import signal, subprocess, sys, os
signal.signal(signal.SIGTERM, signal.SIG_IGN)
orphan = "import subprocess; subprocess.Popen(['sleep', '300'], start_new_session=True)"
child = subprocess.Popen([sys.executable, "-c", orphan])
child.wait()
print("ready")
signal.pause()
"""
    with machine(tmp_path) as here:
        here.start("berlin", python("stubborn", stubborn))
        until(lambda: "ready" in (tmp_path / "berlin-stubborn.log").read_text())
        below = psutil.Process().children(recursive=True)
        assert any("sleep" in process.name() for process in below)
    assert not [process for process in below if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


def test_a_termination_signal_leaves_the_machine_empty_and_says_so(tmp_path):
    started = []

    def interrupted():
        with machine(tmp_path) as here:
            process = here.start("berlin", python("long", "import signal; print('ready'); signal.pause()"))
            started.append(process)
            until(lambda: "ready" in process.log.read_text())
            os.kill(os.getpid(), signal.SIGTERM)
            until(lambda: False)

    with pytest.raises(Failed, match="SIGTERM"):
        interrupted()
    assert started[0].popen.poll() is not None


def test_the_children_of_a_killed_run_end_with_it(tmp_path):
    script = f"""
from pathlib import Path
import signal, sys
from fedspoke.local.processes import machine
with machine(Path({str(tmp_path)!r})) as here:
    child = here.start("berlin", {{"name": "long", "command": [sys.executable, "-c", "import signal; signal.pause()"]}})
    print(child.popen.pid, flush=True)
    signal.pause()
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        child = psutil.Process(int(run.stdout.readline()))
        until(lambda: "signal.pause" in " ".join(child.cmdline()) and "setpriv" not in child.cmdline()[0])
        run.kill()
    until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


def test_an_impatient_person_leaves_nothing_behind_either(tmp_path):
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); signal.pause()"
    script = f"""
from pathlib import Path
import signal, sys
from fedspoke.local.processes import machine
with machine(Path({str(tmp_path)!r})) as here:
    child = here.start("berlin", {{"name": "deaf", "command": [sys.executable, "-c", {deaf!r}]}})
    print(child.popen.pid, flush=True)
    signal.pause()
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as run:
        assert run.stdout is not None
        child = psutil.Process(int(run.stdout.readline()))
        until(lambda: "ready" in (tmp_path / "berlin-deaf.log").read_text())
        while run.poll() is None:
            run.send_signal(signal.SIGINT)
            time.sleep(0.05)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_one_pod_can_be_stopped_alone(tmp_path):
    pause = "import signal; print('ready'); signal.pause()"
    with machine(tmp_path) as here:
        one, other = here.start("berlin", python("a", pause)), here.start("lyon", python("a", pause))
        until(lambda: "ready" in one.log.read_text() and "ready" in other.log.read_text())
        here.stop("berlin")
        assert other.exit_code is None
        assert here.processes == [other]


def test_a_log_that_was_never_written_says_so(tmp_path: Path):
    with machine(tmp_path) as here:
        process = here.start("berlin", python("quiet", ""))
        until(lambda: process.exit_code is not None)
        assert process.last_words() == "it logged nothing"
