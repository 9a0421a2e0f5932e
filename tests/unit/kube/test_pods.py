"""What keeps a pod from running, told apart."""

from datetime import UTC, datetime

import pytest

from fedspoke.api.base import Object
from fedspoke.kube.pods import restarted, stuck
from support.pods import RUNS, WAITS, container, ended, event, of, pod, unscheduled

_PREEMPTION = " preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod."
BACK_OFF = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s restarting failed container=mcp-server"}}
_NO_COMMAND = 'runc create failed: unable to start container process: exec: "fedspoke": executable file not found in $PATH'
_PULL = 'failed to pull and unpack image "fedspoke-collaborator:0.1.0": not found'

CASES: dict[str, tuple[Object, str]] = {
    "no GPU": (
        unscheduled(f"0/1 nodes are available: 1 Insufficient nvidia.com/gpu. no new claims to deallocate,{_PREEMPTION}"),
        "no node has enough nvidia.com/gpu free: 0/1 nodes are available: 1 Insufficient nvidia.com/gpu.",
    ),
    "no GPU and no memory": (
        unscheduled("0/2 nodes are available: 1 Insufficient memory, 2 Insufficient nvidia.com/gpu."),
        "no node has enough memory free; no node has enough nvidia.com/gpu free: "
        "0/2 nodes are available: 1 Insufficient memory, 2 Insufficient nvidia.com/gpu.",
    ),
    "a taint, as Kubernetes 1.34 says it": (
        unscheduled("0/1 nodes are available: 1 node(s) had untolerated taint {nvidia.com/gpu: present}."),
        "it does not tolerate the taint of a node nvidia.com/gpu: present: "
        "0/1 nodes are available: 1 node(s) had untolerated taint {nvidia.com/gpu: present}.",
    ),
    "a taint, as Kubernetes 1.35 says it": (
        unscheduled("0/1 nodes are available: 1 node(s) had untolerated taint(s)."),
        "it does not tolerate the taint of a node: 0/1 nodes are available: 1 node(s) had untolerated taint(s).",
    ),
    "a node selector": (
        unscheduled("0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."),
        "no node has the labels of its node selector: "
        "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.",
    ),
    "a volume that is not bound": (
        unscheduled(f"0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found{_PREEMPTION}"),
        "a volume claim is not bound, of facebook-data, instagram-data: "
        "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found",
    ),
    "a volume that is bound late and has no provider": (
        unscheduled("0/1 nodes are available: 1 node(s) didn't find available persistent volumes to bind."),
        "a volume claim is not bound, of facebook-data, instagram-data: "
        "0/1 nodes are available: 1 node(s) didn't find available persistent volumes to bind.",
    ),
    "no such volume claim": (
        unscheduled('0/1 nodes are available: persistentvolumeclaim "facebook-data" not found. not found'),
        "the volume claim facebook-data does not exist: "
        '0/1 nodes are available: persistentvolumeclaim "facebook-data" not found. not found',
    ),
    "something new that the scheduler says": (unscheduled("0/1 nodes: a comet."), "no node takes it: 0/1 nodes: a comet."),
    "an image that is being pulled in vain": (
        of(container({"waiting": {"reason": "ErrImagePull", "message": _PULL}})),
        f"the image fedspoke-collaborator:0.1.0 of mcp-server cannot be had (ErrImagePull): {_PULL}",
    ),
    "an image that is not pulled for a while": (
        of(container({"waiting": {"reason": "ImagePullBackOff", "message": f"Back-off pulling image: {_PULL}"}})),
        f"the image fedspoke-collaborator:0.1.0 of mcp-server cannot be had (ImagePullBackOff): Back-off pulling image: {_PULL}",
    ),
    "a Secret that is read as environment": (
        of(container({"waiting": {"reason": "CreateContainerConfigError", "message": 'secret "token" not found'}})),
        'mcp-server cannot be started (CreateContainerConfigError): secret "token" not found',
    ),
    "a command that the image does not have": (
        of(container({"waiting": {"reason": "RunContainerError", "message": _NO_COMMAND}}, lastState=ended(128, "StartError"))),
        f"mcp-server cannot be started (RunContainerError): {_NO_COMMAND}",
    ),
    "the same, a while later": (
        of(container(BACK_OFF, lastState=ended(128, "StartError", _NO_COMMAND), restartCount=5)),
        f"mcp-server could not be started, after 5 restarts: {_NO_COMMAND}",
    ),
    "out of memory": (
        of(container(BACK_OFF, lastState=ended(137, "OOMKilled"), restartCount=2)),
        "mcp-server was killed, as it needs more memory than its limit (OOMKilled), after 2 restarts",
    ),
    "out of memory a moment ago": (
        of(container(ended(137, "OOMKilled"))),
        "mcp-server was killed, as it needs more memory than its limit (OOMKilled)",
    ),
    "a crash": (
        of(container(BACK_OFF, lastState=ended(1, message="fedspoke: the model folder is empty\n"), restartCount=1)),
        "mcp-server ended with exit code 1, after 1 restart: fedspoke: the model folder is empty",
    ),
    "an eviction": (
        pod({"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: ephemeral-storage. "}),
        "Evicted: The node was low on resource: ephemeral-storage.",
    ),
    "a device that is gone": (
        pod({"phase": "Failed", "reason": "UnexpectedAdmissionError", "message": "no healthy devices present"}),
        "UnexpectedAdmissionError: no healthy devices present",
    ),
    "a preemption": (
        pod({"phase": "Running", "conditions": [{"type": "DisruptionTarget", "status": "True", "message": "preempting"}]}),
        "it is being taken away: preempting",
    ),
}


@pytest.mark.parametrize(("it", "says"), CASES.values(), ids=CASES.keys())
def test_what_is_wrong_is_said_in_one_sentence(it: Object, says: str):
    assert stuck(it) == says


@pytest.mark.parametrize(
    "it",
    [
        pytest.param(pod({}), id="nobody has looked at it yet"),
        pytest.param(pod({"phase": "Pending"}), id="the scheduler has not looked at it yet"),
        pytest.param(of(container(WAITS)), id="its image is on the way"),
        pytest.param(of(container(RUNS), phase="Running"), id="it runs"),
        pytest.param(of(container(RUNS, lastState=ended(1), restartCount=1), phase="Running"), id="it runs again"),
        pytest.param(of(container(ended(0, "Completed")), phase="Succeeded"), id="it is done"),
    ],
)
def test_nothing_is_said_of_what_is_on_its_way(it: Object):
    assert stuck(it) == ""


def test_a_secret_that_cannot_be_mounted_is_in_the_events_alone():
    it = of(container(WAITS))
    message = 'MountVolume.SetUp failed for volume "certificate" : secret "federated-learning-client-cert" not found'
    said = 'the volume certificate cannot be mounted: secret "federated-learning-client-cert" not found'
    assert stuck(it, [event(it, message)]) == said


def test_the_newest_event_counts():
    it = of(container(WAITS))
    events = [
        event(it, 'AttachVolume.Attach failed for volume "a" : no', "FailedAttachVolume"),
        event(it, "no sandbox", "FailedCreatePodSandBox", "2026-11-21T12:01:00Z"),
    ]
    assert stuck(it, events) == "FailedCreatePodSandBox: no sandbox"


def test_events_of_other_pods_are_not_its_own():
    it, other = of(container(WAITS)), pod({}, made="2026-11-21T13:00:00Z")
    assert stuck(it, [event(other, "no")]) == ""


def test_an_event_that_is_ahead_of_the_status_is_waited_for():
    it = of(container(WAITS))
    assert stuck(it, [event(it, 'Failed to pull image "none:1"', "Failed")]) == ""


def test_an_old_event_of_a_pod_that_has_begun_is_no_news():
    it = of(container(RUNS))
    assert stuck(it, [event(it, "no")]) == ""


def test_a_very_long_message_is_cut():
    assert len(stuck(unscheduled("x" * 5000))) == 1000


class TestWhatWasStartedAgain:
    KILLED: Object = {"exitCode": 137, "reason": "OOMKilled", "finishedAt": "2026-11-21T12:00:00Z"}

    def said(self, minute: int, state: Object = RUNS, **ended: object) -> str:
        it = of(container(state, "aggregator", lastState={"terminated": self.KILLED | ended}, restartCount=2), phase="Running")
        return restarted(it, datetime(2026, 11, 21, 12, minute, tzinfo=UTC))

    def test_is_told_with_the_reason(self):
        why = "aggregator was killed, as it needs more memory than its limit (OOMKilled), and runs again, after 2 restarts"
        assert self.said(4) == why
        assert self.said(4, exitCode=1, reason="Error", message="fedspoke: no\n") == (
            "aggregator ended with exit code 1, and runs again, after 2 restarts: fedspoke: no"
        )

    def test_is_no_news_where_the_kubelet_does_not_know_when(self):
        assert self.said(4, reason="ContainerStatusUnknown", finishedAt=None) == ""

    def test_is_no_news_after_five_minutes(self):
        assert self.said(5) == ""

    def test_is_what_keeps_the_pod_from_running_as_long_as_it_does_not_run_again(self):
        assert self.said(4, BACK_OFF) == ""

    def test_is_nothing_where_nothing_ended(self):
        assert restarted(of(container(RUNS), phase="Running"), datetime(2026, 11, 21, 12, tzinfo=UTC)) == ""
        assert restarted(pod({}), datetime(2026, 11, 21, 12, tzinfo=UTC)) == ""
