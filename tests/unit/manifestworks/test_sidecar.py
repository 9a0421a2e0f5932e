"""The sidecar's configuration, as data. What a real Envoy makes of it: tests/integration."""

from typing import Any

from fedspoke.api.names import server_name
from fedspoke.manifestworks.sidecar import Sidecar, config, files

NAME = server_name("social", "posts")
SIDECAR = Sidecar(
    folder="/etc/fedspoke",
    certificate="/var/run/certificate",
    authority="/var/run/authority",
    port=9091,
    hub=("hub.example", 30443),
    server_name=NAME,
)


def hub() -> Any:
    (cluster,) = config(SIDECAR)["static_resources"]["clusters"]
    return cluster


def test_it_listens_on_loopback_and_dials_the_hub() -> None:
    (listener,) = config(SIDECAR)["static_resources"]["listeners"]
    (endpoint,) = hub()["load_assignment"]["endpoints"][0]["lb_endpoints"]
    assert listener["address"]["socket_address"] == {"address": "127.0.0.1", "port_value": 9091}
    assert endpoint["endpoint"]["address"]["socket_address"] == {"address": "hub.example", "port_value": 30443}


def test_it_asks_for_one_server_name_and_believes_no_other() -> None:
    (trusted,) = files(SIDECAR)["authority.json"]["resources"]
    assert hub()["transport_socket"]["typed_config"]["sni"] == NAME
    assert trusted["validation_context"]["match_typed_subject_alt_names"] == [{"san_type": "DNS", "matcher": {"exact": NAME}}]


def test_a_renewed_certificate_is_read_together_with_its_key() -> None:
    (own,) = files(SIDECAR)["certificate.json"]["resources"]
    assert own["tls_certificate"] == {
        "certificate_chain": {"filename": "/var/run/certificate/tls.crt"},
        "private_key": {"filename": "/var/run/certificate/tls.key"},
        "watched_directory": {"path": "/var/run/certificate"},
    }


def test_no_session_is_resumed_with_a_certificate_of_before() -> None:
    assert hub()["transport_socket"]["typed_config"]["max_session_keys"] == 0
