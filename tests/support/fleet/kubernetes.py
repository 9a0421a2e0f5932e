"""A Kubernetes API server as a test talks to it: objects in, objects out, by their own kind."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from fedspoke.api.base import Object
from support.fleet import kubeconfig


class Unreachable(Exception):
    """The API server does not answer."""


class Rejected(Exception):
    """The API server does not do what it is asked; the text is its own message."""


class Invalid(Rejected):
    """An object is not as its kind is defined."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of object and where the API server has it."""

    api_version: str
    plural: str
    namespaced: bool = True
    with_status: bool = False


NAMESPACE = Kind("v1", "namespaces", namespaced=False)
NODE = Kind("v1", "nodes", namespaced=False)
POD = Kind("v1", "pods")
JOB = Kind("batch/v1", "jobs")
SERVICE = Kind("v1", "services")
SERVICE_ACCOUNT = Kind("v1", "serviceaccounts")
REQUEST = Kind("certificates.k8s.io/v1", "certificatesigningrequests", namespaced=False)


class Kubernetes:
    """One API server, asked as the user of a kubeconfig."""

    def __init__(self, config: Path) -> None:
        access = kubeconfig.read(config)
        self._http = httpx.Client(base_url=access.url, verify=access.trust, headers=access.headers, timeout=30)
        self._kinds: dict[tuple[str, str], Kind] = {}

    def close(self) -> None:
        """End its connections."""
        self._http.close()

    def ready(self) -> bool | None:
        """Whether the API server answers and says that it is ready; None if not yet."""
        try:
            return self._answer("GET", "/readyz").is_success or None
        except Unreachable:
            return None

    def create(self, kind: Kind, document: Object) -> Object:
        """A new object, as the API server then has it; a status is written too, which the server takes only by itself.

        Fields that it does not know are an error, as for `kubectl`.
        """
        namespace = document["metadata"].get("namespace")
        created = self._ask("POST", _path(kind, namespace), json=document, params={"fieldValidation": "Strict"})
        if kind.with_status and "status" in document:
            path = f"{_path(kind, namespace)}/{document['metadata']['name']}/status"
            created = self._ask("PUT", path, json=created | {"status": document["status"]}, params={"fieldValidation": "Strict"})
        return created

    def apply(self, document: Object) -> Object:
        """An object of whatever kind as the document says, whether it was there before or not."""
        kind = self._kind(document["apiVersion"], document["kind"])
        path = f"{_path(kind, document['metadata'].get('namespace'))}/{document['metadata']['name']}"
        return self._ask("PATCH", path, json=document, params={"fieldManager": "tests", "force": "true"}, headers=_APPLY)

    def merge(self, kind: Kind, name: str, patch: Object, namespace: str | None = None) -> Object:
        """An object with some of its fields changed."""
        return self._ask("PATCH", f"{_path(kind, namespace)}/{name}", json=patch, headers=_MERGE)

    def get(self, kind: Kind, name: str, namespace: str | None = None) -> Object:
        """One object."""
        return self._ask("GET", f"{_path(kind, namespace)}/{name}")

    def all(self, kind: Kind, namespace: str | None = None, labels: str = "", fields: str = "") -> list[Object]:
        """Every object of a kind, of one namespace or of all, that has these labels and fields."""
        asked = {"labelSelector": labels, "fieldSelector": fields}
        found: list[Object] = self._ask("GET", _path(kind, namespace), params=asked)["items"]
        return found

    def delete(self, kind: Kind, name: str, namespace: str | None = None) -> None:
        """Ask that an object goes; a finalizer may keep it."""
        self._ask("DELETE", f"{_path(kind, namespace)}/{name}", params={"propagationPolicy": "Background"})

    def kill(self, pod: str, namespace: str) -> None:
        """Let a pod be gone at once, as when its node dies."""
        self._ask("DELETE", f"{_path(POD, namespace)}/{pod}", params={"gracePeriodSeconds": "0"})

    def counted(self, metric: str) -> dict[tuple[tuple[str, str], ...], int]:
        """What the API server has counted so far, by labels."""
        lines = self._answer("GET", "/metrics").text.splitlines()
        found = [_SAMPLE.fullmatch(line) for line in lines if line.startswith(f"{metric}{{")]
        return {tuple(sorted(_LABEL.findall(it[1]))): int(float(it[2])) for it in found if it}

    def delete_all(self, kind: Kind, namespace: str | None = None) -> None:
        """Ask that every object of a kind goes."""
        self._ask("DELETE", _path(kind, namespace))

    def approve(self, request: Object) -> None:
        """Let a request for a certificate be signed."""
        reason = {"type": "Approved", "status": "True", "reason": "Tests", "message": "the tests approve it"}
        approved = request | {"status": {"conditions": [reason]}}
        self._ask("PUT", f"{_path(REQUEST, None)}/{request['metadata']['name']}/approval", json=approved)

    def token(self, service_account: str, namespace: str) -> str:
        """A token that tells a service account, for a day."""
        path = f"{_path(SERVICE_ACCOUNT, namespace)}/{service_account}/token"
        asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 86400}}
        token: str = self._ask("POST", path, json=asked)["status"]["token"]
        return token

    def log(self, pod: str, namespace: str) -> str:
        """What the one container of a pod has said."""
        return self._answer("GET", f"{_path(POD, namespace)}/{pod}/log").text

    @contextmanager
    def temporarily(self, *documents: Object) -> Iterator[None]:
        """These objects for the length of the block; whatever they own goes with them."""
        applied = [(self._kind(it["apiVersion"], it["kind"]), self.apply(it)["metadata"]) for it in documents]
        try:
            yield
        finally:
            for kind, metadata in reversed(applied):
                self.delete(kind, metadata["name"], metadata.get("namespace"))

    def _kind(self, api_version: str, name: str) -> Kind:
        if (api_version, name) not in self._kinds:
            for each in self._ask("GET", _root(api_version))["resources"]:
                if "/" not in each["name"]:
                    self._kinds[api_version, each["kind"]] = Kind(api_version, each["name"], each["namespaced"])
        return self._kinds[api_version, name]

    def _answer(self, method: str, path: str, **request: Any) -> httpx.Response:
        try:
            return self._http.request(method, path, **request)
        except httpx.TransportError as error:
            raise Unreachable(f"{method} {self._http.base_url}{path}: {error!r}") from error

    def _ask(self, method: str, path: str, **request: Any) -> Object:
        answer = self._answer(method, path, **request)
        as_json = answer.headers["content-type"].startswith("application/json")  # of a group that it does not know it says a text
        document: Object = answer.json() if as_json else {}
        if answer.is_error:
            rejected = Invalid if answer.status_code in (_BAD_REQUEST, _UNPROCESSABLE) else Rejected
            raise rejected(document.get("message", answer.text))
        return document


_SAMPLE, _LABEL = re.compile(r"\w+{(.*)} (\S+)"), re.compile(r'(\w+)="([^"]*)"')
_BAD_REQUEST, _UNPROCESSABLE = 400, 422  # fields that are unknown, and values that are wrong
_APPLY = {"Content-Type": "application/apply-patch+yaml"}  # of which JSON is a part
_MERGE = {"Content-Type": "application/merge-patch+json"}


def _path(kind: Kind, namespace: str | None) -> str:
    root = _root(kind.api_version)
    return f"{root}/namespaces/{namespace}/{kind.plural}" if namespace else f"{root}/{kind.plural}"


def _root(api_version: str) -> str:
    return "/api/v1" if api_version == "v1" else f"/apis/{api_version}"
