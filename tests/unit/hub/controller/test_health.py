"""What a kubelet's probes are told of a controller in each of its states."""

import socket
from collections.abc import Callable

import httpx
import pytest

from fedspoke.hub.controller.health import Health, served
from fedspoke.local import ports

OK, NO = 200, 503


class Clock:
    time = 1000.0

    def __call__(self) -> float:
        return self.time


def waits(health: Health, clock: Clock) -> None:
    """For the Lease, however long."""
    clock.time += 3600


def works(health: Health, clock: Clock) -> None:
    health.beat()
    clock.time += 29


def is_stuck(health: Health, clock: Clock) -> None:
    health.beat()
    clock.time += 31


def goes_on(health: Health, clock: Clock) -> None:
    is_stuck(health, clock)
    health.beat()


@pytest.mark.parametrize(("state", "well", "ready"), [(waits, OK, NO), (works, OK, OK), (is_stuck, NO, NO), (goes_on, OK, OK)])
def test_a_controller_that(state: Callable[[Health, Clock], None], well: int, ready: int):
    clock, (port,) = Clock(), ports.free(1)
    health = Health(clock)
    state(health, clock)
    with served(health, port):
        answers = [httpx.get(f"http://127.0.0.1:{port}/{path}").status_code for path in ("healthz", "readyz", "other")]
    assert answers == [well, ready, 404]


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="a machine without IPv6 has no kubelet that asks by it")
def test_a_kubelet_may_ask_over_ipv6():
    (port,) = ports.free(1)
    with served(Health(), port):
        assert httpx.get(f"http://[::1]:{port}/healthz").status_code == OK
