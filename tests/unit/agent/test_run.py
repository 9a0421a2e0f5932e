"""What the agent does again and again."""

from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Event

from fedspoke.agent.lease import lease
from fedspoke.agent.publish import Scores
from fedspoke.agent.run import Task, run
from fedspoke.agent.spoke import LOOK, Spoke
from fedspoke.agent.watchdog import Watchdog
from fedspoke.agent.withdrawals import Withdrawals
from fedspoke.api.errors import Failed
from fedspoke.kube.client import Kind
from fedspoke.manifestworks.collaborator import AGENT
from support.kube import Lists
from support.offered import NOTHING_KNOWN
from support.pods import NAMESPACE

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
LEASE = Kind("coordination.k8s.io/v1", "Lease")
OWNER = {"apiVersion": "v1", "kind": "ServiceAccount", "name": AGENT, "uid": "an account's"}
SIGN = partial(lease, NAMESPACE, "pod-1", OWNER)


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


def spoke(kube: Lists) -> Spoke:
    return Spoke(
        kube,
        NAMESPACE,
        "fedspoke-agent:0.1.0",
        Scores("berlin", Path("none")),
        Watchdog(lambda *_: 204),
        Withdrawals(lambda *_: 204),
    )


def test_the_lease_is_renewed_well_within_the_time_that_ocm_allows():
    kube, stops = Lists(NOTHING_KNOWN), Stops(looks=60)
    run(spoke(kube).tasks(SIGN), stops, lambda: stops.time)
    renewed = [name for _, kind, name in kube.writes if kind == "Lease"]
    assert len(renewed) == 10  # in five minutes
    kept = kube.get(LEASE, "federated-learning", NAMESPACE) or {}
    assert kept["spec"]["renewTime"] == "2026-11-21T12:04:30.000000Z"
    assert kept["spec"]["holderIdentity"] == "pod-1"
    assert kept["metadata"]["ownerReferences"] == [OWNER], "it would outlive the add-on, and call it available"


def test_what_fails_is_tried_again_less_and_less_often_and_holds_up_nothing_else():
    stops, done = Stops(looks=40), list[datetime]()

    def fails(now: datetime) -> None:
        tried.append(now)
        raise Failed("no")

    tried = list[datetime]()
    run([Task(fails, timedelta(seconds=5)), Task(done.append, timedelta(seconds=5))], stops, lambda: stops.time)
    assert [(it - NOW).total_seconds() for it in tried] == [0, 10, 30, 70, 130, 190]
    assert [(it - NOW).total_seconds() for it in done] == [5 * each for each in range(40)]


def test_what_nobody_has_foreseen_holds_up_nothing_either():
    stops, done = Stops(looks=2), list[datetime]()

    def breaks(now: datetime) -> None:
        raise UnicodeError("a name of a host")

    run([Task(breaks, timedelta(seconds=5)), Task(done.append, timedelta(seconds=5))], stops, lambda: stops.time)
    assert len(done) == 2


def test_what_works_again_is_done_as_often_as_before():
    stops, tried = Stops(looks=3), list[datetime]()

    def fails_once(now: datetime) -> None:
        tried.append(now)
        if len(tried) == 1:
            raise Failed("no")

    run([Task(fails_once, timedelta(seconds=5))], stops, lambda: stops.time)
    assert stops.pauses == [10, 5, 5]


def test_a_hub_that_cannot_be_asked_is_tried_again_less_and_less_often(tmp_path: Path):
    (tmp_path / "kubeconfig").write_text("{}")
    scores, stops = Scores("berlin", tmp_path / "kubeconfig", {"gpusFree": 0}), Stops(looks=4)
    run([Task(scores.write, LOOK)], stops, lambda: stops.time)
    assert stops.pauses == [10, 20, 40, 60]
