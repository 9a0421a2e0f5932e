"""What a run on this machine sees, and when it gives up."""

import pytest

from fedspoke.api import parse
from fedspoke.api.errors import Failed
from fedspoke.api.records import Progress
from fedspoke.hub.observed import Observed
from fedspoke.local.folder import Folder, write
from fedspoke.local.kubelet import HUB, Pods
from fedspoke.local.observe import observe
from fedspoke.placement.evaluate import Decision
from support import build

NOTHING = Pods()
BOTH = Observed(decision=Decision(decisions=(("berlin", 100), ("lyon", 100))))
ROUND = '{"round":1,"digest":"' + "0" * 64 + '","loss":2.0,"seconds":1.0,"clusters":{}}\n'


def federation(**server):
    return parse.federated_learning(build.federated_learning(server=server))


def seen(tmp_path, fl, pods=NOTHING, overdue=False):
    return observe(fl, Folder(tmp_path), pods, BOTH, overdue=overdue)


def said(tmp_path, phase):
    progress = Progress(phase=phase, message="the last word")
    write(tmp_path / "hub/state/progress.json", progress.model_dump_json(by_alias=True))


def test_a_part_of_the_hub_that_cannot_run_ends_the_federation(tmp_path):
    gone = Pods(stopped={"hub": "fusion ended with exit code 3: no space left, the 7th time in a row"})
    assert seen(tmp_path, federation(), gone).failure == f"the hub's {gone.stopped['hub']}"


@pytest.mark.parametrize(
    ("begun", "fails"),
    [
        pytest.param(False, True, id="before the first round minAvailableClients are needed"),
        pytest.param(True, False, id="after it minResponses are enough"),
    ],
)
def test_a_collaborator_that_cannot_run_counts_against_what_is_needed_now(tmp_path, begun, fails):
    if begun:
        write(tmp_path / "hub/state/rounds.jsonl", ROUND)
    gone = Pods(stopped={"lyon": "flower-client ended with exit code 1"})
    found = seen(tmp_path, federation(minAvailableClients=2, minResponses=1), gone)
    assert bool(found.failure) == fails
    assert found.stopped == gone.stopped


def test_what_is_started_again_is_seen_until_the_federation_has_ended(tmp_path):
    why = "was killed by signal 9; started again, 1st time"
    pods = Pods(restarted={"lyon": f"mcp-server {why}", HUB: f"fusion {why}"})
    said(tmp_path, "Running")
    found = seen(tmp_path, federation(), pods)
    assert (found.restarted, found.hub_restarted) == ({"lyon": f"mcp-server {why}"}, f"fusion {why}")
    said(tmp_path, "Completed")
    found = seen(tmp_path, federation(), pods)
    assert (found.restarted, found.hub_restarted) == ({}, "")


def test_an_aggregator_that_has_done_its_work_may_end(tmp_path):
    said(tmp_path, "Completed")
    assert seen(tmp_path, federation(), Pods(stopped={"hub": "aggregator ended"})).failure is None


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


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("rounds.jsonl", "{}\n", "holds a line that is no round"),
        ("releases.json", "", "is no account of releases"),
    ],
)
def test_a_file_of_the_aggregators_that_was_spoiled_is_named(tmp_path, name, content, says):
    write(tmp_path / "hub/state" / name, content)
    with pytest.raises(Failed, match=says):
        seen(tmp_path, federation())
