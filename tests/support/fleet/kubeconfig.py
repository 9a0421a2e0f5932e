"""How a program finds a Kubernetes API server and says who it is: written for the fleet's own, read for anybody's."""

import base64
import json
import ssl
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from fedspoke.api.errors import Refused
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
    """What a kubeconfig's current context says.

    Raises:
        Refused: it names its user in a way that this reader does not know.
    """
    document = yaml.safe_load(file.read_text())
    context = _named(document, "context", document["current-context"])
    cluster, user = _named(document, "cluster", context["cluster"]), _named(document, "user", context["user"])
    trust = ssl.create_default_context(cadata=_content(file, cluster, "certificate-authority"))
    if certificate := _content(file, user, "client-certificate"):
        with TemporaryDirectory() as folder:  # `ssl` reads a key from nothing but a file
            pair = Path(folder) / "pair.pem"
            pair.write_text(certificate + (_content(file, user, "client-key") or ""))
            trust.load_cert_chain(pair)
        return Access(cluster["server"], trust, {})
    if "token" in user:
        return Access(cluster["server"], trust, {"Authorization": f"Bearer {user['token']}"})
    raise Refused(f"user {context['user']!r} of {file} has neither a client certificate nor a token; the tests read only these")


def _named(document: Any, what: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(each[what] for each in document[f"{what}s"] if each["name"] == name)
    return found


def _content(file: Path, where: dict[str, Any], key: str) -> str | None:
    """What is given as data, or as a file beside the kubeconfig."""
    if data := where.get(f"{key}-data"):
        return base64.b64decode(data).decode()
    return (file.parent / where[key]).read_text() if key in where else None


def _encoded(file: Path) -> str:
    return base64.b64encode(file.read_bytes()).decode()
