"""The words of an Envoy bootstrap (v3 API, 1.40) that both ends of the wire use. Everything here is data; nothing is run."""

from collections.abc import Sequence

from fedspoke.api.federated_learning import Object

CERTIFICATE_FILE, KEY_FILE, AUTHORITY_FILE = "tls.crt", "tls.key", "ca.crt"
"""The names in a Secret of type kubernetes.io/tls, and of the bundle beside it."""
CERTIFICATE_CONFIG, AUTHORITY_CONFIG = "certificate.json", "authority.json"
"""The files that say where these are."""


def command(config: str, *, concurrency: int = 1) -> list[str]:
    """How both ends start Envoy: no hot restart (the pod's is enough), an access log that is at most a second behind."""
    return [
        *("envoy", "--config-path", config, "--concurrency", str(concurrency), "--log-level", "warning"),
        *("--disable-hot-restart", "--file-flush-interval-msec", "1000", "--file-flush-min-size-kb", "1"),
        # A connection of a federation that changed is asked to close with its next answer, not at a random time.
        *("--drain-strategy", "immediate"),
    ]


def typed(kind: str, /, **fields: object) -> Object:
    """A protobuf Any: its type under `envoy.`, and its fields."""
    return {"@type": f"type.googleapis.com/envoy.{kind}", **fields}


def extension(name: str, kind: str, /, **fields: object) -> Object:
    """A named extension point with its typed configuration."""
    return {"name": name, "typed_config": typed(kind, **fields)}


def address(host: str, port: int) -> Object:
    """A TCP address; `::` is all of IPv6 and of IPv4."""
    both = {"ipv4_compat": True} if host == "::" else {}
    return {"socket_address": {"address": host, "port_value": port} | both}


def watched(folder: str, file: str) -> Object:
    """A file of configuration that is read again when anything is renamed into its folder."""
    return {
        "path_config_source": {"path": f"{folder}/{file}", "watched_directory": {"path": folder}},
        "resource_api_version": "V3",
    }


def discovery(kind: str, *resources: Object) -> Object:
    """The content of a file of configuration: resources of one kind."""
    return {"resources": [typed(kind, **resource) for resource in resources]}


def key_pair(name: str, folder: str) -> Object:
    """The secret with our own key and certificate. Watched inside `tls_certificate`: the two are read together."""
    return {
        "name": name,
        "tls_certificate": {
            "certificate_chain": {"filename": f"{folder}/{CERTIFICATE_FILE}"},
            "private_key": {"filename": f"{folder}/{KEY_FILE}"},
            "watched_directory": {"path": folder},
        },
    }


def authority(name: str, folder: str, names: Sequence[str] = ()) -> Object:
    """The secret with whom to trust, a bundle of authorities, and under which of these DNS names (none: under any)."""
    exact: Object = {"match_typed_subject_alt_names": [{"san_type": "DNS", "matcher": {"exact": name}} for name in names]}
    return {
        "name": name,
        "validation_context": {
            "trusted_ca": {"filename": f"{folder}/{AUTHORITY_FILE}"},
            "watched_directory": {"path": folder},
            **(exact if names else {}),
        },
    }


def tls(folder: str) -> Object:
    """CommonTlsContext: TLS 1.2 or 1.3 with the secrets of `files` in `folder`."""
    return {
        "tls_params": {"tls_minimum_protocol_version": "TLSv1_2", "tls_maximum_protocol_version": "TLSv1_3"},
        "tls_certificate_sds_secret_configs": [{"name": "certificate", "sds_config": watched(folder, CERTIFICATE_CONFIG)}],
        "validation_context_sds_secret_config": {"name": "authority", "sds_config": watched(folder, AUTHORITY_CONFIG)},
    }


def secrets(certificate: str, trusted: str, names: Sequence[str] = ()) -> dict[str, Object]:
    """The two files that `tls` reads, by name."""
    kind = "extensions.transport_sockets.tls.v3.Secret"
    return {
        CERTIFICATE_CONFIG: discovery(kind, key_pair("certificate", certificate)),
        AUTHORITY_CONFIG: discovery(kind, authority("authority", trusted, names)),
    }


def endpoints(cluster: str, host: str, port: int) -> Object:
    """One address as the whole load assignment of an upstream cluster."""
    return {"cluster_name": cluster, "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(host, port)}}]}]}


def process(name: str, admin: str | None) -> Object:
    """The part of a bootstrap that is about the process: who it is (required for secrets from files), how it is asked.

    `admin` is the path of a unix socket: who may read the folder may ask, no other user or process of the host.
    """
    return {
        "node": {"id": name, "cluster": name},
        **({"admin": {"address": {"pipe": {"path": admin, "mode": 0o600}}}} if admin else {}),
        # A flood of connections ends in refusals, not in the end of memory.
        "overload_manager": {
            "resource_monitors": [
                extension(
                    "envoy.resource_monitors.global_downstream_max_connections",
                    "extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
                    max_active_downstream_connections=10_000,
                )
            ]
        },
    }
