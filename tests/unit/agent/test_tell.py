"""What the agent writes down of collaborators, on a spoke that keeps lists."""

from fedspoke.agent.tell import tell
from fedspoke.kube.client import Kind
from fedspoke.manifestworks.collaborator import AGENT
from fedspoke.manifestworks.report import report
from support.kube import Lists
from support.pods import NAMESPACE, WAITS, container, event, job, of, pod

CONFIG_MAP = Kind("v1", "ConfigMap")
REPORT, *_ = report("team-a.social", NAMESPACE, AGENT)


def told(kube: Lists) -> object:
    return (kube.get(CONFIG_MAP, "team-a.social.report", NAMESPACE) or {}).get("data")


def test_a_report_is_written_when_it_changes_and_only_then():
    it = of(container(WAITS))
    kube = Lists(REPORT, it)
    tell(kube, NAMESPACE, {})
    assert told(kube) == {"phase": "Pending", "reason": ""}
    tell(kube, NAMESPACE, {})
    assert len(kube.writes) == 1

    missing = event(it, 'MountVolume.SetUp failed for volume "certificate" : secret "x" not found')
    kube.objects |= Lists(missing).objects
    tell(kube, NAMESPACE, {})
    assert told(kube) == {"phase": "Pending", "reason": 'the volume certificate cannot be mounted: secret "x" not found'}
    assert len(kube.writes) == 2


def test_why_a_job_makes_no_pod_is_written():
    kube = Lists(REPORT, it := job())
    tell(kube, NAMESPACE, {})
    assert kube.writes == []
    kube.objects |= Lists(event(it, "Error creating: exceeded quota", "FailedCreate")).objects
    tell(kube, NAMESPACE, {})
    assert told(kube) == {"phase": "Pending", "reason": "its pod cannot be made: exceeded quota"}


def test_a_federation_whose_report_is_not_there_is_passed_over():
    kube = Lists(pod({"phase": "Running"}))
    tell(kube, NAMESPACE, {})
    assert kube.writes == []


def test_a_report_that_may_not_be_written_stops_no_other():
    other, *_ = report("team-b.social", NAMESPACE, AGENT)
    kube = Lists(
        REPORT, other, pod({"phase": "Running"}), pod({"phase": "Running"}, "team-b.social"), refuses=["team-a.social.report"]
    )
    tell(kube, NAMESPACE, {})
    assert [name for _, _, name in kube.writes] == ["team-b.social.report"]
