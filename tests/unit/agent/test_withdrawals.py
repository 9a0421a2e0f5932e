"""An owner withdraws: the aggregators of the federations that may not run any more are told, until each has heard it."""

import threading
from pathlib import Path

import pytest

from fedspoke.agent.policy import POLICY
from fedspoke.agent.publish import Scores
from fedspoke.agent.spoke import Spoke
from fedspoke.agent.watchdog import Watchdog
from fedspoke.agent.withdrawals import Withdrawals
from fedspoke.api.errors import Failed
from fedspoke.api.records import HubGateway
from support.kube import Lists
from support.offered import NOTHING_KNOWN, volume
from support.pods import NAMESPACE
from unit.agent.test_start import RUN, asks
from unit.agent.test_watchdog import NOW, gateway

_BOTH = [gateway("team.posts"), gateway("team.others")]


class Aggregators:
    """Of them, those in `away` do not answer; the others were asked."""

    def __init__(self, *away: str, status: int = 204) -> None:
        self.away, self.status = set(away), status
        self.asked: list[str] = []

    def __call__(self, it: HubGateway, method: str, path: str) -> int:
        self.asked.append(f"{method} {it.run} {path}")
        return 0 if it.run in self.away else self.status


def _tell(withdrawals: Withdrawals, *withdrawn: str) -> None:
    withdrawals.tell(_BOTH, withdrawals.untold(withdrawn))


def test_only_the_aggregators_of_what_is_withdrawn_are_told_and_once():
    aggregators = Aggregators()
    withdrawals = Withdrawals(aggregators)
    for _ in range(3):
        _tell(withdrawals, "team.posts")
    assert aggregators.asked == ["DELETE team.posts adapter"]


def test_one_that_does_not_answer_is_told_again():
    aggregators = Aggregators("team.posts")
    withdrawals = Withdrawals(aggregators)
    _tell(withdrawals, "team.posts", "team.others")
    aggregators.away.clear()
    _tell(withdrawals, "team.posts", "team.others")
    assert sorted(aggregators.asked) == ["DELETE team.others adapter", "DELETE team.posts adapter", "DELETE team.posts adapter"]


def test_one_that_takes_its_time_keeps_no_other_waiting():
    both_are_asked = threading.Barrier(2, timeout=60)

    def call(it: HubGateway, method: str, path: str) -> int:
        both_are_asked.wait()
        return 204

    withdrawals = Withdrawals(call)
    _tell(withdrawals, "team.posts", "team.others")
    assert withdrawals.told == {"team.posts", "team.others"}


@pytest.mark.parametrize(("status", "times"), [(204, 1), (404, 1), (403, 1), (429, 2), (500, 2)])
def test_an_answer_that_is_no_sign_that_it_was_heard_is_none(status: int, times: int):
    aggregators = Aggregators(status=status)
    withdrawals = Withdrawals(aggregators)
    for _ in range(2):
        _tell(withdrawals, "team.posts")
    assert len(aggregators.asked) == times


def test_what_is_offered_again_and_withdrawn_again_is_told_again():
    aggregators = Aggregators()
    withdrawals = Withdrawals(aggregators)
    for withdrawn in (["team.posts"], [], ["team.posts"]):
        _tell(withdrawals, *withdrawn)
    assert aggregators.asked == ["DELETE team.posts adapter"] * 2


def test_what_the_owner_does_not_let_run_is_taken_back_and_what_else_does_not_run_is_not():
    aggregators, kube = Aggregators(), Lists(NOTHING_KNOWN, volume(), *asks())
    spoke = Spoke(kube, NAMESPACE, "image", Scores("berlin", Path("none")), Watchdog(aggregators), Withdrawals(aggregators))
    spoke.declare(NOW)
    spoke.take_back(NOW)
    assert spoke.refused[RUN].startswith("the data of facebook that is offered on this cluster cannot be read, or not yet; ")
    assert aggregators.asked == []
    kube.delete(volume())
    spoke.lost = {RUN: "the hub has not answered"}
    spoke.declare(NOW)
    spoke.take_back(NOW)
    assert aggregators.asked == [f"DELETE {RUN} adapter"], "it may answer to that all the same"


def test_an_owner_who_forbids_is_heard_though_nobody_can_look_at_what_is_offered():
    aggregators, kube = Aggregators(), Lists(NOTHING_KNOWN, volume(), *asks())
    spoke = Spoke(kube, NAMESPACE, "image", Scores("berlin", Path("none")), Watchdog(aggregators), Withdrawals(aggregators))
    spoke.declare(NOW)
    kube.delete(NOTHING_KNOWN)
    metadata = {"name": POLICY, "namespace": NAMESPACE}
    kube.keep({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"federations": ""}})
    with pytest.raises(Failed, match="there is no ConfigMap federated-learning-datasets"):
        spoke.declare(NOW)
    assert spoke.withdrawn == {RUN}
