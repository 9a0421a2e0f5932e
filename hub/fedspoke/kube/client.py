"""The only place that speaks to a Kubernetes API: plain objects in, plain objects out, and errors as sentences."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

import urllib3.exceptions
from kubernetes import config, dynamic
from kubernetes.client import ApiClient, Configuration, CoreV1Api
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic.exceptions import DynamicApiError, ResourceNotFoundError

from fedspoke.api.base import Object
from fedspoke.api.errors import Failed

if TYPE_CHECKING:
    from fedspoke.kube.exec import Exec

MANAGER = "fedspoke"
"""The field manager of all that the hub controller applies."""

_NOT_FOUND, _CONFLICT = 404, 409
_PATIENCE = 30  # seconds
_PAGE = 100
_MERGE = "application/merge-patch+json"


class Kind(NamedTuple):
    """A kind of object, as it names itself."""

    api_version: str
    kind: str


OPENSHIFT = Kind("security.openshift.io/v1", "SecurityContextConstraints")
"""Known to OpenShift alone, which gives each pod its users and groups by them."""


class MissingKindError(Failed):
    """The API server does not know a kind: what brings it is not installed."""


class Kubernetes:
    """One API server, for any number of threads."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client
        self._discovered: dynamic.DynamicClient | None = None
        self._discovering = Lock()

    @classmethod
    def of_environment(cls, context: str | None = None) -> "Kubernetes":
        """The cluster that this pod is in; outside of one, or of a context that is named, that of the kubeconfig.

        Raises:
            Failed: there is neither.
        """
        if context is None:
            with suppress(config.ConfigException):
                config.load_incluster_config()
                return cls(_Impatient())
        try:
            config.load_kube_config(context=context)
        except config.ConfigException as error:
            raise Failed(
                f"no Kubernetes API to speak to: {error}; set KUBECONFIG, or run in a pod with a service account"
            ) from None
        return cls(_Impatient())

    @classmethod
    def of_file(cls, kubeconfig: Path) -> "Kubernetes":
        """The cluster of a kubeconfig, as whom it names; what it names is read now.

        Raises:
            Failed: it is not there, or is none.
        """
        access = Configuration()
        try:
            config.load_kube_config(str(kubeconfig), client_configuration=access)
        except (config.ConfigException, OSError, ValueError) as error:
            raise Failed(f"the kubeconfig {kubeconfig} cannot be used: {error}") from None
        return cls(_Impatient(access))

    def get(self, kind: Kind, name: str, namespace: str | None = None) -> Object | None:
        """One object; None if there is none of the name."""
        try:
            return self._ask(kind, "get", name=name, namespace=namespace)
        except _Absent:
            return None

    def knows(self, kind: Kind) -> bool:
        """Whether there are objects of this kind, for whoever may ask for them."""
        try:
            with self._in_sentences(f"say whether it knows {kind.kind}"):
                self._resource(kind)
        except MissingKindError:
            return False
        return True

    def each(
        self,
        kind: Kind,
        namespace: str | None = None,
        labels: Mapping[str, str | None] | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> Iterator[Object]:
        """Like `all`, and no more than a page is held in memory."""
        asked = {"namespace": namespace, "label_selector": _selector(labels), "field_selector": _selector(fields)}
        more: str | None = ""
        while more is not None:
            page = self._ask(kind, "get", limit=_PAGE, _continue=more or None, **asked)
            for it in page["items"]:
                it["metadata"].pop("managedFields", None)  # often most of an object, and of use to the API server alone
                # The items of a list do not say what they are, as objects do that are asked for by name.
                yield {"apiVersion": kind.api_version, "kind": kind.kind} | it
            more = page["metadata"].get("continue") or None

    def all(
        self,
        kind: Kind,
        namespace: str | None = None,
        labels: Mapping[str, str | None] | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> list[Object]:
        """Every object of a kind, of one namespace or of all, that has these labels, None for any value, and fields."""
        return [*self.each(kind, namespace, labels, fields)]

    def apply(self, wanted: Object, manager: str = MANAGER, *, force: bool = True) -> Object:
        """Server-side apply: the object has these fields afterwards, whoever else had set them, or only if nobody had, unforced.

        Those that the same manager had applied before and no longer wants are gone, unless another manager wants them too.
        """
        metadata, kind = wanted["metadata"], kind_of(wanted)
        where = {"name": metadata["name"], "namespace": metadata.get("namespace")}
        return self._ask(kind, "server_side_apply", body=wanted, field_manager=manager, force_conflicts=force, **where)

    def merge(self, it: Object, patch: Object, subresource: str | None = None) -> Object:
        """Some fields of an object that is there (JSON merge patch)."""
        metadata = it["metadata"]
        where = {"name": metadata["name"], "namespace": metadata.get("namespace")}
        return self._ask(kind_of(it), "patch", subresource, body=patch, content_type=_MERGE, field_manager=MANAGER, **where)

    def replace(self, it: Object, subresource: str | None = None) -> Object | None:
        """The whole object, unless it was changed since it was read; None then."""
        metadata = it["metadata"]
        where = {"name": metadata["name"], "namespace": metadata.get("namespace")}
        try:
            return self._ask(kind_of(it), "replace", subresource, body=it, field_manager=MANAGER, **where)
        except _Conflicting:
            return None

    def create(self, it: Object) -> Object:
        """A new object."""
        return self._ask(kind_of(it), "create", body=it, namespace=it["metadata"].get("namespace"), field_manager=MANAGER)

    def delete(self, it: Object) -> None:
        """Ask that an object goes, what it owns first; one that has gone already is as good."""
        metadata = it["metadata"]
        options = {"propagationPolicy": "Foreground"}
        try:
            self._ask(kind_of(it), "delete", name=metadata["name"], namespace=metadata.get("namespace"), body=options)
        except _Absent:
            return

    def exec(self, pod: str, namespace: str, command: Sequence[str]) -> "Exec":
        """Start a process in a pod's only container."""
        from kubernetes.stream import stream  # only who uploads needs it

        from fedspoke.kube.exec import Exec

        streams = {"stdin": True, "stdout": True, "stderr": True, "tty": False}
        with self._in_sentences(f"run {command[0]} in the pod {pod}"):
            ask = CoreV1Api(self._client).connect_get_namespaced_pod_exec
            return Exec(stream(ask, pod, namespace, command=[*command], _preload_content=False, binary=True, **streams))

    def _ask(self, kind: Kind, verb: str, subresource: str | None = None, **request: Any) -> Object:
        given = {name: value for name, value in request.items() if value is not None}
        what = f"{verb.removeprefix('server_side_')} {kind.kind}"
        with self._in_sentences(f"{what} {request.get('name', '')}".strip()):
            resource = self._resource(kind)
            target = resource.subresources[subresource] if subresource else resource
            answer: Object = getattr(target, verb)(**given).to_dict()
        return answer

    def _resource(self, kind: Kind) -> Any:
        with self._discovering:  # the library forgets what it knows while it looks again, and another thread would miss it
            known = self._discovered = self._discovered or dynamic.DynamicClient(self._client)
            try:
                return known.resources.get(api_version=kind.api_version, kind=kind.kind)
            except ResourceNotFoundError:
                self._discovered = None  # what it knows is old, should the kind be installed later
                missing = f"the API server knows no {kind.kind} of {kind.api_version}"
                raise MissingKindError(f"{missing}; install what defines it (OCM, or hub/deploy/crd.yaml)") from None

    @contextmanager
    def _in_sentences(self, what: str) -> Iterator[None]:
        """Of errors, while the API server is asked to do something."""
        try:
            yield
        except (DynamicApiError, ApiException) as error:
            raise _refusal(error, what) from None
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Failed(silence(self._client.configuration.host, error)) from None


class _Impatient(ApiClient):
    """Waits for no answer for ever: a line that was cut says nothing of it."""

    def call_api(self, *arguments: Any, **named: Any) -> Any:
        return super().call_api(*arguments, **named | {"_request_timeout": _PATIENCE})


class _Absent(Failed):
    pass


class _Conflicting(Failed):
    pass


def kind_of(it: Object) -> Kind:
    """What an object says it is."""
    return Kind(it["apiVersion"], it["kind"])


def reference(owner: Object) -> dict[str, str]:
    """Of what goes with an object, to that object."""
    metadata = owner["metadata"]
    return {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": metadata["name"], "uid": metadata["uid"]}


def silence(host: str, error: Exception) -> str:
    """Of an API server that does not answer."""
    return f"the Kubernetes API at {host} does not answer: {error}"


def _selector(wanted: Mapping[str, str | None] | Mapping[str, str] | None) -> str | None:
    return ",".join(key if value is None else f"{key}={value}" for key, value in wanted.items()) if wanted else None


def _refusal(error: DynamicApiError | ApiException, what: str) -> Failed:
    said = error.summary() if isinstance(error, DynamicApiError) else (error.body or error.reason)
    kind = {_NOT_FOUND: _Absent, _CONFLICT: _Conflicting}.get(error.status, Failed)
    return kind(f"the Kubernetes API refuses to {what}: {said}")
