"""A SuperNode asks soon after an answer, and seldom when there is nothing to do."""

import inspect
import re

import flwr.supernode.start_client_internal as loop

from fedspoke.flower import supernode
from fedspoke.flower.supernode import ANSWER, IDLE, Clock


def pauses(*asked: float) -> list[float]:
    taken: list[float] = []
    clock = Clock(taken.append)
    for seconds in asked:
        clock.sleep(seconds)
    return taken


def test_the_pinned_flower_takes_these_pauses_from_its_clock_and_nothing_else() -> None:
    assert re.findall(r"\btime\.(\w+\(.*?\))", inspect.getsource(loop)) == supernode.PAUSES
    assert not re.search(r"\bfrom time import\b", inspect.getsource(loop))


def test_a_node_without_orders_asks_ever_more_seldom_until_it_asks_as_flowers_does() -> None:
    taken = pauses(*[IDLE] * 30)
    assert taken == sorted(taken)
    assert taken[0] < 0.5
    assert taken[-1] == IDLE


def test_a_pause_is_a_tenth_of_the_time_that_was_waited_already_at_the_most() -> None:
    taken = pauses(*[IDLE] * 24)
    assert all(pause <= 0.25 + sum(taken[:number]) / 10 + 1e-9 for number, pause in enumerate(taken))


def test_an_order_makes_it_quick_again() -> None:
    *_, last = pauses(*[IDLE] * 30, ANSWER, IDLE)
    assert last == pauses(IDLE)[0]
    assert pauses(ANSWER) < [ANSWER]
