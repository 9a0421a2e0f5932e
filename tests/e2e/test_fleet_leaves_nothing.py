"""A test run that is killed leaves nothing that runs, nothing in the network, and a rest that the next run clears away."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support.fleet import cgroups, claim, requirements
from support.fleet.binaries import Say
from support.fleet.wait import until

_SECONDS = 30
_FIRST = 50  # of numbers that no fleet beside it takes meanwhile
_RUN = f"""
from support.fleet import cgroups, claim, wait
from support.fleet.network import Network

with claim.number({_FIRST}) as (number, folder):
    machine = Network(number, folder / "network").machine("node", 1, folder / "node")
    cgroups.make(folder.name + "-node")
    machine.start("container", "sh", "-c", "sleep 4711 & echo born; wait")
    wait.says(machine.processes["container"], "born", 30)
    print(number, folder, flush=True)
    input()
"""


@pytest.fixture
def killed(say: Say) -> tuple[int, Path]:
    """The number and the folder of a run that was killed while its machine ran."""
    requirements.provide(say)
    run = subprocess.Popen(
        [sys.executable, "-c", _RUN],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
    )
    with run:
        assert run.stdout
        number, folder = run.stdout.readline().split()
        assert Path(f"/sys/class/net/fleet{number}").exists()
        assert cgroups.named(Path(folder).name)
        run.send_signal(signal.SIGKILL)
    return int(number), Path(folder)


def test_what_it_started_ends_with_it(killed: tuple[int, Path]) -> None:
    until("no process of it is left", lambda: not _running("4711"), _SECONDS)


def test_its_network_ends_with_it(killed: tuple[int, Path]) -> None:
    number, _ = killed

    until("its network is gone", lambda: not Path(f"/sys/class/net/fleet{number}").exists(), _SECONDS)


def test_the_next_run_has_its_number_and_clears_away_the_rest(killed: tuple[int, Path]) -> None:
    with claim.number(_FIRST) as again:
        assert again == killed
        assert list(again[1].iterdir()) == []
        assert cgroups.named(again[1].name) == set()
    assert not again[1].exists()


def _running(word: str) -> list[str]:
    """The processes of this machine that have this word in their command."""
    files = Path("/proc").glob("[0-9]*/cmdline")
    return [command for command in map(_command, files) if word in command.split("\0")]


def _command(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:  # it has ended meanwhile
        return ""
