"""An owner withdraws: the aggregators of the federations that may not run any more are told, until each has heard it."""

from pathlib import Path

from fedspoke.agent.publish import Scores
from fedspoke.agent.spoke import Spoke
from fedspoke.agent.watchdog import Watchdog
from fedspoke.agent.withdrawals import Withdrawals
from fedspoke.api.records import HubGateway
from support.kube import Lists
from support.offered import NOTHING_KNOWN
from support.pods import NAMESPACE
from unit.agent.test_start import RUN, asks
from unit.agent.test_watchdog import NOW, gateway

_BOTH = [gateway("team.posts"), gateway("team.others")]


class Aggregators:
    """Of them, those in `away` do not answer; the others were asked."""

    def __init__(self, *away: str) -> None:
        self.away = set(away)
        self.asked: list[str] = []

    def __call__(self, it: HubGateway, method: str, path: str) -> bool:
        self.asked.append(f"{method} {it.run} {path}")
        return it.run not in self.away


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
    assert aggregators.asked == ["DELETE team.posts adapter", "DELETE team.others adapter", "DELETE team.posts adapter"]


def test_what_is_offered_again_and_withdrawn_again_is_told_again():
    aggregators = Aggregators()
    withdrawals = Withdrawals(aggregators)
    for withdrawn in (["team.posts"], [], ["team.posts"]):
        _tell(withdrawals, *withdrawn)
    assert aggregators.asked == ["DELETE team.posts adapter"] * 2


def test_what_the_owner_does_not_let_run_is_taken_back_and_what_else_does_not_run_is_not():
    aggregators, kube = Aggregators(), Lists(NOTHING_KNOWN, *asks())
    spoke = Spoke(kube, NAMESPACE, "image", Scores("berlin", Path("none")), Watchdog(aggregators), Withdrawals(aggregators))
    spoke.lost = {RUN: "the hub has not answered"}
    spoke.declare(NOW)
    spoke.take_back(NOW)
    assert (spoke.refused, aggregators.asked) == (spoke.lost, [])
    spoke.lost = {}
    spoke.declare(NOW)
    spoke.take_back(NOW)
    assert aggregators.asked == [f"DELETE {RUN} adapter"]
