"""A hub that is gone for longer than a federation's grace ends its collaborator, and brings it back when it comes back."""

from datetime import UTC, datetime, timedelta

from fedspoke.agent.start import gateways, start
from fedspoke.agent.watchdog import Watchdog
from fedspoke.api.records import HubGateway
from support.kube import Lists
from support.offered import volume
from support.pods import NAMESPACE
from unit.agent.test_start import RUN, asks, owner, running

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def later(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


class Hub:
    """Answers as it is told to."""

    def __init__(self) -> None:
        self.answers = True

    def __call__(self, gateway: HubGateway, method: str, path: str) -> int:
        return 404 if self.answers else 0


def gateway(run: str = RUN, grace: float = 1800, port: int = 30443) -> HubGateway:
    return HubGateway(run=run, address="127.0.0.1", port=port, server_name="social.team.example", grace=grace)


def test_a_hub_that_answers_is_there():
    assert Watchdog(Hub()).look([gateway()], NOW) == {}


def test_a_hub_is_gone_once_it_was_silent_for_longer_than_the_grace_and_back_as_soon_as_it_answers():
    hub = Hub()
    watchdog = Watchdog(hub)
    watchdog.look([gateway()], NOW)
    hub.answers = False
    assert watchdog.look([gateway()], later(40)) == {}, "nobody asked meanwhile"
    assert watchdog.look([gateway()], later(70)) == {}
    assert watchdog.look([gateway()], later(70.5)) == {
        RUN: "the hub has not answered at 127.0.0.1:30443 since 2026-11-21 12:40:00 UTC, and client.hubLostGrace is 1800 s; "
        "it runs again once the hub answers"
    }
    hub.answers = True
    assert watchdog.look([gateway()], later(71)) == {}


def test_each_federation_has_its_own_grace():
    hub = Hub()
    hub.answers = False
    watchdog = Watchdog(hub)
    both = [gateway("team.patient"), gateway("team.hasty", grace=60)]
    watchdog.look(both, NOW)
    assert watchdog.look(both, later(2)).keys() == {"team.hasty"}


def test_a_federation_that_came_while_the_hub_was_silent_has_its_whole_grace():
    hub = Hub()
    hub.answers = False
    watchdog = Watchdog(hub)
    watchdog.look([], NOW)
    assert watchdog.look([gateway(grace=60)], later(60)) == {}


def test_a_collaborator_whose_hub_is_gone_is_ended_and_started_again():
    kube = Lists(*asks(client={"hubLostGrace": "1m"}))
    (found,) = gateways(kube, NAMESPACE)
    assert (found.run, found.address, found.port, found.grace) == (RUN, "192.0.2.7", 30443, 60)
    given = owner(volume())
    start(kube, NAMESPACE, given)
    assert running(kube)
    assert start(kube, NAMESPACE, given, {RUN: "the hub is gone"}) == {RUN: "the hub is gone"}
    assert not running(kube)
    assert start(kube, NAMESPACE, given) == {}
    assert running(kube)
