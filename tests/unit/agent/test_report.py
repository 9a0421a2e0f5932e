"""What a spoke tells the hub of its collaborators."""

from typing import Any

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


OWN = [{"persistentVolumeClaim": {"claimName": "annas-holiday"}}, {"hostPath": {"path": "/annas-holiday"}}]
NFS = """MountVolume.SetUp failed for volume "anna-nas" : mount failed: exit status 32
Mounting arguments: -t nfs nas.anna.example:/export/fb /var/lib/kubelet/pods/1/volumes/kubernetes.io~nfs/anna-nas"""
ON_THE_SPOKE = "its owner sees why on the cluster, by kubectl describe pod"


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        ("FailedMount", NFS),
        ("FailedMount", 'MountVolume.NewMounter initialization failed for volume "anna-disk" : path "/mnt/anna" does not exist'),
        ("FailedMount", 'MountVolume.SetUp failed for volume "data-facebook" : /annas-holiday is not a directory'),
        ("FailedAttachVolume", 'AttachVolume.Attach failed for volume "anna-disk" : timed out of nas.anna.example'),
        ("FailedMount", "Unable to attach or mount volumes: unmounted volumes=[data-facebook], unattached volumes=[anna]"),
    ],
)
@pytest.mark.parametrize("source", OWN)
def test_of_a_volume_that_cannot_be_mounted_no_word_leaves_the_spoke_but_which_it_is(source: Object, reason: str, message: str):
    it = of(container(WAITS))
    it["spec"]["volumes"] = [{"name": "tmp", "emptyDir": {}}, {"name": "data-facebook"} | source]
    said = [event(it, message, reason)]
    assert reports([it], [], said, {})["team-a.social"]["reason"] == (
        f"the volume data-facebook cannot be mounted: {ON_THE_SPOKE}"
    )
    it["spec"]["volumes"].append({"name": "output", "persistentVolumeClaim": {"claimName": "annas-disk"}})
    assert "anna" not in reports([it], [], said, {})["team-a.social"]["reason"]


def test_of_several_it_is_said_which_they_are_where_kubernetes_names_none_of_them():
    it = of(container(WAITS))
    it["spec"]["volumes"] = [{"name": name} | OWN[0] for name in ("data-facebook", "model")]
    assert reports([it], [], [event(it, NFS)], {})["team-a.social"]["reason"] == (
        f"the volume data-facebook or model cannot be mounted: {ON_THE_SPOKE}"
    )


def test_of_a_volume_that_is_not_the_owners_it_is_told_why():
    it = of(container(WAITS))
    it["spec"]["volumes"] = [{"name": "certificate", "secret": {"secretName": "x"}}, {"name": "data-facebook"} | OWN[0]]
    said = [event(it, 'MountVolume.SetUp failed for volume "certificate" : secret "x" not found')]
    assert (
        reports([it], [], said, {})["team-a.social"]["reason"] == 'the volume certificate cannot be mounted: secret "x" not found'
    )


@pytest.mark.parametrize(
    "state",
    [ended(128, "StartError", "{}"), {"waiting": {"reason": "CreateContainerError", "message": "{}"}}],
    ids=["start", "create"],
)
def test_nor_does_what_a_container_runtime_says_of_a_mount(state: Any):
    for it in state.values():
        it["message"] = 'error mounting "/mnt/anna" to rootfs at "/data/facebook": no such file'
    why = reports([of(container(state))], [], [], {})["team-a.social"]["reason"]
    assert why.endswith(f": {ON_THE_SPOKE}")


def test_what_an_owner_calls_a_volume_stays_on_the_spoke_when_no_node_takes_its_pod():
    it = unscheduled('persistentvolumeclaim "annas-holiday" not found. persistentvolumeclaim "annas-disk" not found.')
    it["spec"]["volumes"] = [
        {"name": "data-facebook"} | OWN[0],
        {"name": "output", "persistentVolumeClaim": {"claimName": "annas-disk"}},
    ]
    why = reports([it], [], [], {})["team-a.social"]["reason"]
    assert why.startswith("the volume claim facebook-data does not exist; the volume claim output does not exist: ")
    assert "annas" not in why
