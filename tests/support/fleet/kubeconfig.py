"""How a program finds a Kubernetes API server and says who it is: written for the fleet's own, read for anybody's."""

import base64
import json
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubernetes import client, config

from support.fleet.certificates import Pair


@dataclass(frozen=True, slots=True)
class Access:
    """Where an API server is, what to trust it by, and what to say with every question."""

    url: str
    trust: ssl.SSLContext
    headers: dict[str, str]


def write(file: Path, url: str, authority: Path, user: Pair | str) -> Path:
    """A kubeconfig that holds all it needs (JSON is YAML, too); the user is known by a certificate or by a token."""
    cluster = {"server": url, "certificate-authority-data": _encoded(authority)}
    if isinstance(user, str):
        known_by = {"token": user}
    else:
        known_by = {"client-certificate-data": _encoded(user.certificate), "client-key-data": _encoded(user.key)}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "fleet", "cluster": cluster}],
        "users": [{"name": "user", "user": known_by}],
        "contexts": [{"name": "fleet", "context": {"cluster": "fleet", "user": "user"}}],
        "current-context": "fleet",
    }
    file.touch(mode=0o600)
    file.write_text(json.dumps(document))
    return file


def read(file: Path) -> Access:
    """What a kubeconfig's current context says, in any of the ways that Kubernetes has."""
    said = client.Configuration()
    config.load_kube_config(config_file=str(file), client_configuration=said)
    trust = ssl.create_default_context(cafile=said.ssl_ca_cert)
    if said.cert_file:
        trust.load_cert_chain(said.cert_file, said.key_file)
    settings: Any = said.auth_settings()
    return Access(said.host, trust, {each["key"]: each["value"] for each in settings.values()})


def _encoded(file: Path) -> str:
    return base64.b64encode(file.read_bytes()).decode()
