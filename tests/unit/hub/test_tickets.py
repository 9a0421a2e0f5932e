"""A ticket that comes back through the exchange says whose node it was given to."""

from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from fedspoke.api.names import identity
from fedspoke.api.training import AdapterPrivacy
from fedspoke.hub.aggregation.exchange import Exchange
from fedspoke.hub.aggregation.releases import Releases
from fedspoke.hub.aggregation.uploads import Uploads
from support.federation import tickets

ADAPTER = "/v1/runs/default.social/rounds/1/adapter"  # there need be no such round yet


@pytest.fixture
def exchange(tmp_path: Path) -> Exchange:
    return Exchange("default.social", Uploads(tmp_path, Releases(tmp_path / "releases.json", AdapterPrivacy())), tickets())


def presented(exchange: Exchange, ticket: str, cluster: str = "cluster1", path: str = ADAPTER) -> Any:
    """As the gateway hands it on."""
    headers = {"fedspoke-ticket": ticket, "x-forwarded-client-cert": f"URI={identity('hub', cluster)}"}
    return TestClient(exchange.app).get(path, headers=headers)


def test_a_node_belongs_to_the_cluster_whose_certificate_presented_its_ticket_first(exchange: Exchange) -> None:
    ticket = exchange.tickets.of(7)
    assert exchange.tickets.cluster(7) == ""
    for _ in range(2):
        response = presented(exchange, ticket, "cluster2")
        assert (response.status_code, response.json()) == (200, {"cluster": "cluster2"})
    assert presented(exchange, ticket, "cluster1").status_code == 403
    assert exchange.tickets.cluster(7) == "cluster2"


@pytest.mark.parametrize("ticket", ["", "ticket-2", "no ticket"])
def test_a_ticket_that_was_never_given_binds_nothing(exchange: Exchange, ticket: str) -> None:
    exchange.tickets.of(7)
    response = presented(exchange, ticket)
    assert response.status_code == 403
    assert "no node of cluster1 was given this ticket" in response.json()["error"]
    assert exchange.tickets.cluster(7) == ""


def test_a_ticket_of_another_run_or_under_no_certificate_binds_nothing(exchange: Exchange) -> None:
    ticket = exchange.tickets.of(7)
    assert presented(exchange, ticket, path="/v1/runs/default.other/rounds/1/adapter").status_code == 403
    assert TestClient(exchange.app).get(ADAPTER, headers={"fedspoke-ticket": ticket}).status_code == 403
    assert exchange.tickets.cluster(7) == ""


def test_the_ticket_of_a_node_that_has_gone_is_worth_nothing(exchange: Exchange) -> None:
    ticket = exchange.tickets.of(7)
    exchange.tickets.forget(7)
    assert presented(exchange, ticket).status_code == 403
    assert exchange.tickets.of(7) != ticket


def test_each_node_has_one_ticket_of_its_own(exchange: Exchange) -> None:
    given = [exchange.tickets.of(node) for node in (7, 8, 7)]
    assert given[0] == given[2] != given[1]
