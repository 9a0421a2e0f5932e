"""What a spoke tells the hub of its collaborators."""

import pytest

from fedspoke.agent.report import reports
from fedspoke.api.base import Object
from support.pods import RUNS, WAITS, container, ended, event, job, of, pod, unscheduled


def test_each_federation_has_its_own_report():
    stuck, runs = (
        unscheduled("0/1 nodes are available: 1 Insufficient nvidia.com/gpu."),
        pod({"phase": "Running"}, "team-b.social"),
    )
    assert reports([stuck, runs], [], [], {}) == {
        "team-a.social": {
            "phase": "Pending",
            "reason": "no node has enough nvidia.com/gpu free: 0/1 nodes are available: 1 Insufficient nvidia.com/gpu.",
        },
        "team-b.social": {"phase": "Running", "reason": ""},
    }


def test_the_newest_pod_of_a_federation_counts():
    failed = pod({"phase": "Failed", "reason": "Evicted"}, made="2026-11-21T11:00:00Z")
    assert reports([pod({"phase": "Running"}), failed], [], [], {})["team-a.social"] == {"phase": "Running", "reason": ""}


def test_a_job_that_makes_no_pod_says_why_until_it_has_one():
    it = job()
    refused = event(it, 'Error creating: pods "x" is forbidden: exceeded quota: few', "FailedCreate")
    assert reports([], [it], [refused], {}) == {
        "team-a.social": {"phase": "Pending", "reason": 'its pod cannot be made: pods "x" is forbidden: exceeded quota: few'}
    }
    assert reports([pod({"phase": "Running"})], [it], [refused], {}) == {"team-a.social": {"phase": "Running", "reason": ""}}


def test_of_a_job_whose_pod_is_still_to_come_nothing_is_said():
    assert reports([], [job()], [], {}) == {}


def test_pods_of_no_federation_are_passed_over():
    agent = pod({"phase": "Running"})
    agent["metadata"]["labels"] = {"app.kubernetes.io/name": "fedspoke"}
    assert reports([agent], [], [], {}) == {}


@pytest.mark.parametrize(
    ("last_words", "told"),
    [
        ("loading\nfedspoke: the model folder /model is empty\n", ": the model folder /model is empty"),
        ("Traceback (most recent call last):\n  …\nValueError: cannot read 'dinner with Anna'\n", ": ValueError"),
        ("Traceback (most recent call last):\n  …\ntorch.OutOfMemoryError: CUDA out of memory\n", ": torch.OutOfMemoryError"),
        ("dinner with Anna\n", ""),
        ("dinner with Anna: an Error\n", ""),
        ("", ""),
    ],
)
def test_of_a_crash_only_our_own_words_leave_the_spoke(last_words: str, told: str):
    for now in (container(ended(1, message=last_words)), container({"waiting": {}}, lastState=ended(1, message=last_words))):
        assert reports([of(now)], [], [], {})["team-a.social"]["reason"] == f"mcp-server ended with exit code 1{told}"


def test_why_a_container_could_not_be_started_is_the_runtimes_word():
    it = of(
        container({"waiting": {"reason": "CrashLoopBackOff"}}, lastState=ended(128, "StartError", 'exec: "fedspoke": not found'))
    )
    assert reports([it], [], [], {})["team-a.social"]["reason"] == 'mcp-server could not be started: exec: "fedspoke": not found'


def test_a_pod_that_runs_has_no_reason():
    assert reports([of(container(RUNS), phase="Running")], [], [], {})["team-a.social"] == {"phase": "Running", "reason": ""}


@pytest.mark.parametrize(
    "source", [{"persistentVolumeClaim": {"claimName": "annas-holiday"}}, {"hostPath": {"path": "/annas-holiday"}}]
)
def test_what_an_owner_calls_a_dataset_stays_on_the_spoke(source: Object):
    it = of(container(WAITS))
    it["spec"]["volumes"] = [{"name": "data-facebook"} | source]
    own = source.get("hostPath", {}).get("path") or "annas-holiday"
    said = [event(it, f'MountVolume.SetUp failed for volume "pvc-1" : {own} is not a directory')]
    assert reports([it], [], said, {})["team-a.social"]["reason"] == (
        "the volume pvc-1 cannot be mounted: facebook-data is not a directory"
    )


def test_nor_does_what_an_owner_calls_the_volume_for_outputs_leave_it():
    it = of(container(WAITS))
    it["spec"]["volumes"] = [{"name": "output", "persistentVolumeClaim": {"claimName": "annas-disk"}}]
    said = [event(it, 'MountVolume.SetUp failed for volume "pvc-1" : annas-disk is full')]
    assert reports([it], [], said, {})["team-a.social"]["reason"] == "the volume pvc-1 cannot be mounted: output is full"
