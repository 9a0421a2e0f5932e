"""The gateway's configuration, as data. What a real Envoy makes of it: tests/integration/test_gateway.py."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fedspoke.api.federated_learning import Object
from fedspoke.api.names import PLATFORMS, identity
from fedspoke.hub.gateway import Federation, Gateway, config, files

GATEWAY = Gateway(
    folder="/etc/gateway",
    certificate="/var/run/certificate",
    authority="/var/run/authority",
    access_log="/dev/stdout",
    host="0.0.0.0",  # noqa: S104  nothing listens here
    port=8443,
)
POSTS = Federation(
    namespace="social", name="posts", identities=(identity("hub", "cluster1"),), superlink=9091, adapters=9092, fusion=9093
)

labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True)


def chains(*federations: Federation, gateway: Gateway = GATEWAY) -> list[Object]:
    (listener,) = files(gateway, federations)["listeners.json"]["resources"]
    return list(listener["filter_chains"])


def rules(federation: Federation) -> Any:
    return chains(federation)[0]["filters"][0]["typed_config"]["rules"]


def manager(federation: Federation, gateway: Gateway = GATEWAY) -> Any:
    return chains(federation, gateway=gateway)[0]["filters"][1]["typed_config"]


def upstream(federation: Federation, method: str, path: str) -> str | None:
    """Envoy's choice of route: the first that matches; a regular expression matches the whole path."""
    (host,) = manager(federation)["route_config"]["virtual_hosts"]
    for route in host["routes"]:
        match = route["match"]
        methods = [each["string_match"]["safe_regex"]["regex"] for each in match.get("headers", [])]
        if not all(re.fullmatch(each, method) for each in methods):
            continue
        if path.startswith(match["prefix"]) if "prefix" in match else re.fullmatch(match["safe_regex"]["regex"], path):
            return str(route["route"]["cluster"])
    return None


@given(st.lists(labels, unique=True, max_size=8), labels)
def test_the_certificates_of_the_chosen_clusters_are_let_in_and_no_other(clusters: list[str], stranger: str) -> None:
    chosen = replace(POSTS, identities=tuple(identity("hub", cluster) for cluster in clusters))
    allowed = rules(chosen)
    principals = [principal for policy in allowed["policies"].values() for principal in policy["principals"]]
    exact = [principal["authenticated"]["principal_name"]["exact"] for principal in principals]
    assert allowed["action"] == "ALLOW"
    assert exact == [identity("hub", cluster) for cluster in clusters]
    assert (identity("hub", stranger) in exact) == (stranger in clusters)


def test_a_federation_that_chose_nobody_lets_nobody_in() -> None:
    assert rules(replace(POSTS, identities=())) == {"action": "ALLOW", "policies": {}}


def test_every_federation_has_its_own_server_name_on_the_one_port() -> None:
    other = replace(POSTS, namespace="elsewhere")
    names = [chain["filter_chain_match"]["server_names"] for chain in chains(POSTS, other)]
    assert names == [
        ["posts.social.federation-ai.open-cluster-management.io"],
        ["posts.elsewhere.federation-ai.open-cluster-management.io"],
    ]


def test_without_federations_nothing_listens() -> None:
    assert files(GATEWAY, [])["listeners.json"] == {"resources": []}


@given(labels, labels, st.integers(1, 10**6), st.sampled_from(PLATFORMS))
def test_a_run_reaches_its_own_services(namespace: str, name: str, number: int, platform: str) -> None:
    federation = replace(POSTS, namespace=namespace, name=name)
    run = f"/v1/runs/{namespace}.{name}"
    assert upstream(federation, "POST", "/v1/fleet/pull-messages") == f"{federation.run}/superlink"
    for method in ("GET", "PUT"):
        assert upstream(federation, method, f"{run}/rounds/{number}/adapter") == f"{federation.run}/adapters"
    assert upstream(federation, "DELETE", f"{run}/adapter") == f"{federation.run}/adapters"
    assert upstream(federation, "PUT", f"{run}/profiles/{platform}") == f"{federation.run}/fusion"
    assert upstream(federation, "GET", f"{run}/general-profile") == f"{federation.run}/fusion"


@given(labels, labels)
def test_a_run_does_not_reach_another_runs_services(namespace: str, name: str) -> None:
    other = f"{namespace}.{name}"
    reached = {upstream(POSTS, "GET", f"/v1/runs/{other}/{what}") for what in ("general-profile", "rounds/1/adapter")}
    assert (reached == {None}) == (other != POSTS.run)


def test_each_service_is_on_the_gateways_loopback() -> None:
    upstreams = files(GATEWAY, [POSTS])["upstreams.json"]["resources"]
    addresses = {
        each["name"]: each["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]["socket_address"]
        for each in upstreams
    }
    assert addresses == {
        f"social.posts/{service}": {"address": "127.0.0.1", "port_value": port}
        for service, port in (("superlink", 9091), ("adapters", 9092), ("fusion", 9093))
    }


def test_a_connection_lives_as_long_as_it_is_told() -> None:
    gateway = replace(GATEWAY, longest_connection=timedelta(milliseconds=2500))
    assert manager(POSTS, gateway)["common_http_protocol_options"]["max_connection_duration"] == "2.5s"


def test_the_bootstrap_and_the_secrets_are_the_same_for_any_federations() -> None:
    one, two = files(GATEWAY, [POSTS]), files(GATEWAY, [POSTS, replace(POSTS, name="other")])
    assert {name for name in one if one[name] != two[name]} == {"listeners.json", "upstreams.json"}
    assert one["envoy.json"] == config(GATEWAY)


def test_without_an_admin_socket_there_is_no_admin_interface() -> None:
    assert "admin" not in config(GATEWAY)
    assert config(replace(GATEWAY, admin="/run/admin"))["admin"]["address"] == {"pipe": {"path": "/run/admin", "mode": 0o600}}
