"""The hub's end of the wire: Envoy lets in only the clusters that a federation chose, and only to what contracts.md lists.

One port for all federations. TLS chooses the federation by server name and proves the certificate; the connection is then
closed unless the certificate's URI SAN is that of a chosen cluster; only then is HTTP read, and a path that is not listed is
404. The upstreams learn who speaks from `x-forwarded-client-cert`, which is the gateway's own: the client's is thrown away.

Listeners and upstreams are files that Envoy watches. A change of one federation's clusters drains that federation's
connections (each is closed after its current answer) and touches no other's.

The log has a JSON line for every request, and one (without `path`) for every connection that was refused, with the reason.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from fedspoke.api.federated_learning import Object
from fedspoke.api.names import PLATFORMS, run_name, server_name
from fedspoke.manifestworks import envoy

CONFIG_FILE = "envoy.json"

_WHO = {
    "time": "%START_TIME%",
    "server": "%REQUESTED_SERVER_NAME%",
    "identity": "%DOWNSTREAM_PEER_URI_SAN%",
    "serial": "%DOWNSTREAM_PEER_SERIAL%",
}
_REQUEST_LINE = {
    **_WHO,
    "method": "%REQ(:METHOD)%",
    "path": "%REQ(:PATH)%",
    "code": "%RESPONSE_CODE%",
    "detail": "%RESPONSE_CODE_DETAILS%",
    "bytesIn": "%BYTES_RECEIVED%",
    "bytesOut": "%BYTES_SENT%",
    "milliseconds": "%DURATION%",
}

_REFUSAL_LINE = {  # without a verified certificate, `identity` is only what somebody claims
    **_WHO,
    "tls": "%DOWNSTREAM_TRANSPORT_FAILURE_REASON%",
    "rbac": "%CONNECTION_TERMINATION_DETAILS%",
    "flags": "%RESPONSE_FLAGS%",
}
_REFUSED = "has(connection.transport_failure_reason) || has(connection.termination_details) || response.flags != 0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """What is true of the gateway whichever federations there are. Folders are as Envoy sees them."""

    folder: str  # of the files below
    certificate: str  # folder of tls.crt and tls.key, whose names are the server names of all federations
    authority: str  # folder of ca.crt
    access_log: str  # a file, or /dev/stdout
    host: str
    port: int
    admin: str | None = None  # path of a unix socket
    # Certificates and RBAC are looked at when a connection begins; polling keeps one open for ever.
    longest_connection: timedelta = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Federation:
    """Who may reach one federation, and where its three services are on the gateway's loopback."""

    namespace: str
    name: str
    identities: tuple[str, ...]  # names.identity of each chosen cluster
    superlink: int
    adapters: int
    fusion: int

    @property
    def run(self) -> str:
        """The run in URLs."""
        return run_name(self.namespace, self.name)


def files(gateway: Gateway, federations: Sequence[Federation]) -> dict[str, Object]:
    """The JSON files of the gateway's folder, by name; Envoy starts with `envoy.json`.

    The bootstrap and the secrets do not depend on the federations. Write each to a temporary name and rename it.
    """
    upstreams = [upstream for federation in federations for upstream in _upstreams(federation)]
    listeners = [listener(gateway, federations)] if federations else []  # Envoy takes none without a filter chain
    return {
        CONFIG_FILE: config(gateway),
        "upstreams.json": envoy.discovery("config.cluster.v3.Cluster", *upstreams),
        "listeners.json": envoy.discovery("config.listener.v3.Listener", *listeners),
        **envoy.secrets(gateway.certificate, gateway.authority),
    }


def config(gateway: Gateway) -> Object:
    """The bootstrap."""
    return {
        **envoy.process("gateway", gateway.admin),
        "dynamic_resources": {
            "lds_config": envoy.watched(gateway.folder, "listeners.json"),
            "cds_config": envoy.watched(gateway.folder, "upstreams.json"),
        },
    }


def listener(gateway: Gateway, federations: Sequence[Federation]) -> Object:
    """The one port. A server name that no federation has is answered by nobody."""
    return {
        "name": "gateway",
        "address": envoy.address(gateway.host, gateway.port),
        "listener_filters": [
            envoy.extension("tls_inspector", "extensions.filters.listener.tls_inspector.v3.TlsInspector"),
        ],
        "filter_chains": [_chain(gateway, federation) for federation in federations],
        "access_log": [_refusals(gateway)],
    }


def _chain(gateway: Gateway, federation: Federation) -> Object:
    return {
        "name": federation.run,
        "filter_chain_match": {"server_names": [server_name(federation.namespace, federation.name)]},
        "transport_socket_connect_timeout": "10s",
        "transport_socket": envoy.extension(
            "tls",
            "extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            require_client_certificate=True,
            # A resumed session would carry the certificate of before.
            disable_stateless_session_resumption=True,
            disable_stateful_session_resumption=True,
            common_tls_context=envoy.tls(gateway.folder),
        ),
        "filters": [_chosen_only(federation), _http(gateway, federation)],
    }


def _chosen_only(federation: Federation) -> Object:
    principals = [{"authenticated": {"principal_name": {"exact": identity}}} for identity in federation.identities]
    policy = {"permissions": [{"any": True}], "principals": principals}
    return envoy.extension(
        "rbac",
        "extensions.filters.network.rbac.v3.RBAC",
        stat_prefix=federation.run,
        # An ALLOW without policies lets nobody in. The connection is closed: a 403 Flower's client takes for the run's end.
        rules={"action": "ALLOW", "policies": {"chosen": policy} if principals else {}},
    )


def _http(gateway: Gateway, federation: Federation) -> Object:
    return envoy.extension(
        "http",
        "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix=federation.run,
        codec_type="HTTP1",
        common_http_protocol_options={
            "max_connection_duration": f"{gateway.longest_connection.total_seconds():g}s",
            "idle_timeout": "300s",
        },
        http1_safe_max_connection_duration=True,  # ends with an answer that says so: no request is lost
        request_headers_timeout="30s",
        # An adapter may take hours over a thin line (so no request_timeout), but not stand still.
        stream_idle_timeout="300s",
        normalize_path=True,
        merge_slashes=True,
        path_with_escaped_slashes_action="REJECT_REQUEST",
        use_remote_address=True,  # whoever dials is outside: its x-envoy-* headers are thrown away
        forward_client_cert_details="SANITIZE_SET",
        set_current_client_cert_details={"uri": True},
        access_log=[_access_log(gateway, _REQUEST_LINE)],
        route_config={
            # Listeners and upstreams are two files; whichever is read first, the other soon follows.
            "validate_clusters": False,
            "virtual_hosts": [{"name": federation.run, "domains": ["*"], "routes": _routes(federation)}],
        },
        http_filters=[envoy.extension("router", "extensions.filters.http.router.v3.Router", suppress_envoy_headers=True)],
    )


def _access_log(gateway: Gateway, line: dict[str, str]) -> Object:
    return envoy.extension(
        "file",
        "extensions.access_loggers.file.v3.FileAccessLog",
        path=gateway.access_log,
        log_format={"json_format": line},
    )


def _refusals(gateway: Gateway) -> Object:
    refused = envoy.extension("cel", "extensions.access_loggers.filters.cel.v3.ExpressionFilter", expression=_REFUSED)
    return {**_access_log(gateway, _REFUSAL_LINE), "filter": {"extension_filter": refused}}


def _routes(federation: Federation) -> list[Object]:
    """contracts.md, "On the wire", and nothing else."""
    run = f"/v1/runs/{federation.run}"
    platforms = "|".join(PLATFORMS)
    return [
        _route({"prefix": "/v1/fleet/"}, f"{federation.run}/superlink"),
        _route(_path(rf"{re.escape(run)}/rounds/[1-9][0-9]*/adapter", "GET|HEAD|PUT"), f"{federation.run}/adapters"),
        _route(_path(rf"{re.escape(run)}/adapter", "DELETE"), f"{federation.run}/adapters"),
        _route(_path(rf"{re.escape(run)}/profiles/({platforms})", "PUT"), f"{federation.run}/fusion"),
        _route(_path(rf"{re.escape(run)}/general-profile", "GET"), f"{federation.run}/fusion"),
    ]


def _path(path: str, methods: str) -> Object:
    method = {"name": ":method", "string_match": {"safe_regex": {"regex": methods}}}
    return {"safe_regex": {"regex": path}, "headers": [method]}


def _route(match: Object, upstream: str) -> Object:
    return {
        "match": match,
        "route": {
            "cluster": upstream,
            "timeout": "0s",  # see stream_idle_timeout
            # A kept-alive connection that the upstream closed just now: no part of the request was sent, so it may be again.
            "retry_policy": {"retry_on": "reset-before-request", "num_retries": 2},
        },
    }


def _upstreams(federation: Federation) -> list[Object]:
    ports = {"superlink": federation.superlink, "adapters": federation.adapters, "fusion": federation.fusion}
    return [
        {
            "name": f"{federation.run}/{service}",
            "type": "STATIC",
            "connect_timeout": "2s",
            "load_assignment": envoy.endpoints(f"{federation.run}/{service}", "127.0.0.1", port),
            "typed_extension_protocol_options": {
                "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": envoy.typed(
                    "extensions.upstreams.http.v3.HttpProtocolOptions",
                    common_http_protocol_options={"idle_timeout": "4s"},  # uvicorn closes after 5
                    explicit_http_config={"http_protocol_options": {}},
                )
            },
        }
        for service, port in ports.items()
    ]
