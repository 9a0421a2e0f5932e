"""An owner withdraws in the middle of a round: nothing of that cluster is in the round's adapter, though it had left its own."""

from datetime import timedelta
from pathlib import Path

import numpy as np
from starlette.testclient import TestClient

from fedspoke.api.names import identity
from fedspoke.api.records import TrainOrder
from fedspoke.hub.aggregation.members import Answer, Order
from fedspoke.hub.aggregation.terms import Terms
from support import adapters
from support.federation import START, Cluster, Site, settings, upload, withdraw

_WHY = "its owner has withdrawn what it shared, and nothing of it is in this round"


def _slow(site: Site, name: str, seconds: float, value: float = 1) -> int:
    """A cluster that answers an order to train only after this time."""
    cluster = Cluster(name, site.exchange, value=value)

    def hear(order: Order) -> Answer | None:
        said = cluster(order)
        if not isinstance(order, TrainOrder) or said is None:
            return said
        site.clock.later.append((site.clock.now() + timedelta(seconds=seconds), lambda: site.nodes.send(node, order, said)))
        return None

    node = len(site.nodes.connected) + 1
    site.nodes.connected[node] = hear
    return node


def _at(site: Site, seconds: float, cluster: str) -> list[int]:
    """The cluster's owner withdraws then; the list gets what the hub answers."""
    answers: list[int] = []
    site.clock.later.append((START + timedelta(seconds=seconds), lambda: answers.append(withdraw(site.exchange, cluster))))
    return answers


def test_what_it_had_left_is_not_in_the_sum_and_its_status_says_why(tmp_path: Path) -> None:
    site = Site(settings(tmp_path, min_available_clients=1, rounds=1))
    _slow(site, "cluster1", 10, value=3)
    site.join("cluster2", value=100)
    answers = _at(site, 5, "cluster2")
    site.run()
    (record,) = site.state.records()
    assert (answers, set(record.clusters), record.refused) == ([204], {"cluster1"}, {"cluster2": _WHY})
    assert site.account.progress.clusters["cluster2"].reason == _WHY
    assert all(np.all(tensor == 3) for tensor in adapters.load(site.state.checkpoint(1)).values())


def test_one_that_is_at_work_is_not_waited_for_and_what_it_still_sends_is_too_late(tmp_path: Path) -> None:
    site = Site(settings(tmp_path, min_available_clients=1, rounds=1))
    _slow(site, "cluster1", 10)
    site.join("cluster2", silent={1})
    _at(site, 5, "cluster2")
    sent: list[int] = []
    site.clock.later.append((START + timedelta(seconds=6), lambda: sent.append(upload(site.exchange, "cluster2", 1, b"1", 1))))
    site.run()
    assert (sent, set(site.state.records()[0].clusters)) == ([410], {"cluster1"})
    assert site.clock.now() < START + timedelta(seconds=12)


def test_a_round_that_needs_it_cannot_be_had(tmp_path: Path) -> None:
    site = Site(settings(tmp_path))
    _slow(site, "cluster1", 10)
    site.join("cluster2")
    _at(site, 5, "cluster2")
    assert site.failure() == f"round 1 needs 2 of cluster1, cluster2, and cannot have them: cluster2: {_WHY}"


def test_a_round_that_has_to_go_on_after_all_takes_what_others_leave_and_nothing_of_it(tmp_path: Path) -> None:
    site = Site(settings(tmp_path))
    uploads, layout = site.exchange.uploads, adapters.layout()
    content = adapters.save(adapters.filled(layout, 1), tmp_path / "adapter").read_bytes()
    terms = Terms(tmp_path / "adapter", adapters.digest(tmp_path / "adapter"), layout)
    uploads.open(1, {"cluster1": terms, "cluster2": terms})
    withdraw(site.exchange, "cluster2")
    uploads.close(1)
    withdraw(site.exchange, "cluster1")
    assert uploads.withdrawn(1) == {"cluster2"}
    uploads.reopen(1)
    assert [upload(site.exchange, name, 1, content, 1) for name in ("cluster1", "cluster2")] == [201, 410]


def test_after_the_last_round_is_closed_it_is_too_late(tmp_path: Path) -> None:
    site = Site(settings(tmp_path, rounds=2))
    site.join("cluster1")
    site.join("cluster2")
    site.run()
    assert withdraw(site.exchange, "cluster2") == 204
    assert [set(record.clusters) for record in site.state.records()] == [{"cluster1", "cluster2"}] * 2


def test_a_cluster_that_withdrew_in_round_1_is_in_no_round_until_it_comes_anew(tmp_path: Path) -> None:
    site = Site(settings(tmp_path, min_available_clients=1, rounds=3))
    _slow(site, "cluster1", 10)
    site.join("cluster2")
    _at(site, 5, "cluster2")
    site.clock.later.append((START + timedelta(seconds=15), lambda: site.join("cluster2")))
    site.run()
    assert [set(record.clusters) for record in site.state.records()] == [{"cluster1"}, {"cluster1"}, {"cluster1", "cluster2"}]


def test_one_that_withdrew_and_is_not_chosen_any_more_takes_nobody_from_the_others(tmp_path: Path) -> None:
    site = Site(settings(tmp_path, min_available_clients=2, min_responses=1, rounds=2))
    _slow(site, "cluster1", 10)
    site.join("cluster2")
    chosen = site.told.model_copy(update={"clusters": ("cluster1",)})
    site.clock.later.append((START + timedelta(seconds=5), lambda: setattr(site, "told", chosen)))
    _at(site, 5, "cluster2")
    site.run()
    assert [set(record.clusters) for record in site.state.records()] == [{"cluster1"}, {"cluster1"}]


def test_between_two_rounds_it_is_heard_as_well_until_a_node_of_the_cluster_comes_anew(tmp_path: Path) -> None:
    site = Site(settings(tmp_path))
    uploads, layout = site.exchange.uploads, adapters.layout()
    content = adapters.save(adapters.filled(layout, 1), tmp_path / "adapter").read_bytes()
    terms = Terms(tmp_path / "adapter", adapters.digest(tmp_path / "adapter"), layout)
    withdraw(site.exchange, "cluster2")
    uploads.open(1, {"cluster1": terms, "cluster2": terms})
    assert [upload(site.exchange, name, 1, content, 1) for name in ("cluster1", "cluster2")] == [201, 410]
    assert uploads.withdrawn(1) == {"cluster2"}
    ticket = {"x-forwarded-client-cert": f"URI={identity('hub', 'cluster2')}", "fedspoke-ticket": site.exchange.tickets.of(7)}
    assert TestClient(site.exchange.app).get("/v1/runs/test.run/rounds/1/adapter", headers=ticket).status_code == 200
    uploads.open(2, {"cluster1": terms, "cluster2": terms})
    assert upload(site.exchange, "cluster2", 2, content, 1) == 201
