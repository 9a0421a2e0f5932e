"""The agent on a spoke that keeps lists."""

from datetime import UTC, datetime, timedelta
from threading import Event

from fedspoke.agent.run import run, tell
from fedspoke.kube.client import Kind
from fedspoke.manifestworks.collaborator import AGENT
from fedspoke.manifestworks.report import report
from support.kube import Lists
from support.pods import NAMESPACE, WAITS, container, event, job, of, pod

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
CONFIG_MAP, LEASE = Kind("v1", "ConfigMap"), Kind("coordination.k8s.io/v1", "Lease")
REPORT, *_ = report("team-a.social", NAMESPACE, AGENT)


class Stops(Event):
    """Lets the agent look so many times; a test's clock goes on with each pause."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self.looks, self.time = looks, NOW
        self.pauses: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.pauses.append(timeout)
        self.time += timedelta(seconds=timeout or 0)
        if len(self.pauses) == self.looks:
            self.set()
        return self.is_set()


def told(kube: Lists) -> object:
    return (kube.get(CONFIG_MAP, "team-a.social-report", NAMESPACE) or {}).get("data")


def test_a_report_is_written_when_it_changes_and_only_then():
    it = of(container(WAITS))
    kube = Lists(REPORT, it)
    tell(kube, NAMESPACE)
    assert told(kube) == {"phase": "Pending", "reason": ""}
    tell(kube, NAMESPACE)
    assert len(kube.writes) == 1

    missing = event(it, 'MountVolume.SetUp failed for volume "certificate" : secret "x" not found')
    kube.objects |= Lists(missing).objects
    tell(kube, NAMESPACE)
    assert told(kube) == {"phase": "Pending", "reason": 'the volume certificate cannot be mounted: secret "x" not found'}
    assert len(kube.writes) == 2


def test_why_a_job_makes_no_pod_is_written():
    kube = Lists(REPORT, it := job())
    tell(kube, NAMESPACE)
    assert kube.writes == []
    kube.objects |= Lists(event(it, "Error creating: exceeded quota", "FailedCreate")).objects
    tell(kube, NAMESPACE)
    assert told(kube) == {"phase": "Pending", "reason": "its pod cannot be made: exceeded quota"}


def test_a_federation_whose_report_is_not_there_is_passed_over():
    kube = Lists(pod({"phase": "Running"}))
    tell(kube, NAMESPACE)
    assert kube.writes == []


def test_a_report_that_may_not_be_written_stops_no_other():
    other, *_ = report("team-b.social", NAMESPACE, AGENT)
    kube = Lists(
        REPORT, other, pod({"phase": "Running"}), pod({"phase": "Running"}, "team-b.social"), refuses=["team-a.social-report"]
    )
    tell(kube, NAMESPACE)
    assert [name for _, _, name in kube.writes] == ["team-b.social-report"]


def test_the_lease_is_renewed_well_within_the_time_that_ocm_allows():
    kube, stops = Lists(), Stops(looks=60)
    run(kube, NAMESPACE, "pod-1", stops, lambda: stops.time)
    renewed = [name for _, kind, name in kube.writes if kind == "Lease"]
    assert len(renewed) == 10  # in five minutes
    lease = kube.get(LEASE, "federated-learning", NAMESPACE) or {}
    assert lease["spec"]["renewTime"] == "2026-11-21T12:04:30.000000Z"
    assert lease["spec"]["holderIdentity"] == "pod-1"


def test_what_the_api_server_refuses_is_tried_again_less_and_less_often():
    kube, stops = Lists(refuses=["Lease"]), Stops(looks=6)
    run(kube, NAMESPACE, "pod-1", stops, lambda: stops.time)
    assert stops.pauses == [10, 20, 40, 60, 60, 60]
