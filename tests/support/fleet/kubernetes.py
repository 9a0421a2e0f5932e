"""A Kubernetes API server as a test talks to it: objects in, objects out, by their own kind."""

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

    def apply(self, kind: Kind, document: Object) -> Object:
        """An object as the document says, whether it was there before or not."""
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
        self._ask("DELETE", f"{_path(kind, namespace)}/{name}")

    def delete_all(self, kind: Kind, namespace: str | None = None) -> None:
        """Ask that every object of a kind goes."""
        self._ask("DELETE", _path(kind, namespace))

    def log(self, pod: str, namespace: str) -> str:
        """What the one container of a pod has said."""
        return self._answer("GET", f"{_path(POD, namespace)}/{pod}/log").text

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


_BAD_REQUEST, _UNPROCESSABLE = 400, 422  # fields that are unknown, and values that are wrong
_APPLY = {"Content-Type": "application/apply-patch+yaml"}  # of which JSON is a part
_MERGE = {"Content-Type": "application/merge-patch+json"}


def _path(kind: Kind, namespace: str | None) -> str:
    root = "/api/v1" if kind.api_version == "v1" else f"/apis/{kind.api_version}"
    return f"{root}/namespaces/{namespace}/{kind.plural}" if namespace else f"{root}/{kind.plural}"
