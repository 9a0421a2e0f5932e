"""What a run on this machine sees, and when it gives up."""

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fedspoke.api import parse
from fedspoke.api.records import Progress
from fedspoke.hub.observed import Observed
from fedspoke.local.folder import Folder, write
from fedspoke.local.observe import observe
from fedspoke.local.processes import Machine, Process
from fedspoke.placement.evaluate import Decision
from support import build

BOTH = Observed(decision=Decision(decisions=(("berlin", 100), ("lyon", 100))))
ROUND = '{"round":1,"digest":"' + "0" * 64 + '","loss":2.0,"seconds":1.0,"clusters":{}}\n'


@dataclass(slots=True)
class Ended(Machine):
    """A machine on which these processes have ended."""

    gone: list[Process] = field(default_factory=list)

    def ended(self) -> list[Process]:
        return self.gone


def ended(folder: Path, pod: str, container: str, script: str) -> Process:
    log = folder / f"{pod}-{container}.log"
    with log.open("wb") as sink:
        popen = subprocess.Popen([sys.executable, "-c", script], stdout=sink, stderr=sink)
    popen.wait()
    return Process(pod, container, log, popen)


def federation(**server):
    return parse.federated_learning(build.federated_learning(server=server))


def seen(tmp_path, fl, *gone, overdue=False):
    return observe(fl, Folder(tmp_path), Ended(tmp_path, gone=list(gone)), BOTH, overdue=overdue)


def test_a_dead_part_of_the_hub_ends_the_federation_with_its_last_words(tmp_path):
    fusion = ended(tmp_path, "hub", "fusion", "print('\\033[92mno space left\\033[0m'); raise SystemExit(3)")
    assert seen(tmp_path, federation(), fusion).failure == "the hub's fusion ended with exit code 3: no space left"


def test_of_a_killed_process_the_log_is_not_quoted_as_the_cause(tmp_path):
    killed = ended(tmp_path, "hub", "aggregator", "import os; print('train: done', flush=True); os.kill(os.getpid(), 9)")
    assert seen(tmp_path, federation(), killed).failure == "the hub's aggregator was killed by signal 9"


@pytest.mark.parametrize(
    ("begun", "fails"),
    [
        pytest.param(False, True, id="before the first round minAvailableClients are needed"),
        pytest.param(True, False, id="after it minResponses are enough"),
    ],
)
def test_a_dead_collaborator_counts_against_what_is_needed_now(tmp_path, begun, fails):
    if begun:
        write(tmp_path / "hub/state/rounds.jsonl", ROUND)
    dead = ended(tmp_path, "lyon", "flower-client", "raise SystemExit(1)")
    found = seen(tmp_path, federation(minAvailableClients=2, minResponses=1), dead)
    assert bool(found.failure) == fails
    assert "flower-client ended with exit code 1" in found.stopped["lyon"]


def test_a_deadline_that_the_aggregator_lets_pass_in_silence_ends_the_run(tmp_path):
    assert "spec.deadline" in (seen(tmp_path, federation(), overdue=True).failure or "")


def test_the_model_is_brought_to_the_top_even_if_the_federation_then_fails(tmp_path):
    write(tmp_path / "hub/state/global/adapter_model.safetensors", "weights")
    write(
        tmp_path / "hub/state/progress.json",
        Progress(phase="Failed", message="no profile", model="1" * 64).model_dump_json(by_alias=True),
    )
    found = seen(tmp_path, federation())
    assert found.model is not None
    assert (tmp_path / "global/adapter_model.safetensors").read_text() == "weights"
