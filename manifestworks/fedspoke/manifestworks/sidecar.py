"""The spoke's end of the wire: whatever its pod says in plaintext on loopback goes to one hub gateway in mutual TLS.

A TCP proxy, no HTTP: the gateway alone judges paths. It holds the cluster's key so that no other process needs it, and takes
a renewed certificate without a restart.
"""

from dataclasses import dataclass

from fedspoke.api.federated_learning import Object
from fedspoke.manifestworks import envoy

CONFIG_FILE = "envoy.json"
FILES = (CONFIG_FILE, envoy.CERTIFICATE_CONFIG, envoy.AUTHORITY_CONFIG)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sidecar:
    """What one collaborator's Envoy is told. Folders are as Envoy sees them."""

    folder: str  # of the files below
    certificate: str  # folder of tls.crt and tls.key
    authority: str  # folder of ca.crt
    port: int  # on 127.0.0.1
    hub: tuple[str, int]  # host name or IP address, and port, of the gateway
    server_name: str  # names.server_name of the federation: asked for by SNI, and the only name that is believed
    admin: str | None = None  # path of a unix socket


def files(sidecar: Sidecar) -> dict[str, Object]:
    """The JSON files of the sidecar's folder, by name; Envoy starts with `envoy.json`."""
    return {
        CONFIG_FILE: config(sidecar),
        **envoy.secrets(sidecar.certificate, sidecar.authority, [sidecar.server_name]),
    }


def config(sidecar: Sidecar) -> Object:
    """The bootstrap."""
    return {
        **envoy.process("sidecar", sidecar.admin),
        "static_resources": {"listeners": [_listener(sidecar)], "clusters": [_hub(sidecar)]},
    }


def _listener(sidecar: Sidecar) -> Object:
    proxy = envoy.extension(
        "tcp_proxy",
        "extensions.filters.network.tcp_proxy.v3.TcpProxy",
        stat_prefix="hub",
        cluster="hub",
        idle_timeout="600s",  # longer than the gateway's stream_idle_timeout: the gateway decides, and its log says so
    )
    return {
        "name": "loopback",
        "address": envoy.address("127.0.0.1", sidecar.port),
        "filter_chains": [{"filters": [proxy]}],
    }


def _hub(sidecar: Sidecar) -> Object:
    host, port = sidecar.hub
    return {
        "name": "hub",
        # One logical host, IPv6 and IPv4 raced: a hub whose IPv6 address this spoke cannot route to is reached all the same.
        "type": "LOGICAL_DNS",
        "dns_lookup_family": "ALL",
        "connect_timeout": "10s",
        "load_assignment": envoy.endpoints("hub", host, port),
        # Load balancers forget silent connections, mostly after 5 minutes or less.
        "upstream_connection_options": {"tcp_keepalive": {"keepalive_time": 60, "keepalive_interval": 15, "keepalive_probes": 4}},
        "transport_socket": envoy.extension(
            "tls",
            "extensions.transport_sockets.tls.v3.UpstreamTlsContext",
            sni=sidecar.server_name,
            max_session_keys=0,  # a resumed session would show the hub the certificate of before
            common_tls_context=envoy.tls(sidecar.folder),
        ),
    }
